"""ORCA's read API.  `router` is mounted under `/orca_api` and under `/`."""

from orca_daemon.console.orca_api.errors import failure
from orca_daemon.console.orca_api.pages import Pages
from orca_daemon.console.orca_api.router import router

__all__ = ["PREFIXES", "Pages", "failure", "router"]

PREFIXES: tuple[str, ...] = ("/recovery/jobs", "/recovery/granules", "/catalog/reconcile", "/orca")
"""What the paths of the API begin with, beside `/orca_api`: requests there and below get errors as JSON."""
