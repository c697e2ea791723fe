"""The pages: one module for each, with a `router`.  A new page is a module, and its name in `PAGES`."""

from importlib import import_module

from fastapi import APIRouter

PAGES = ("now", "login", "probes", "act")
"""Modules of this package."""


def routers() -> list[APIRouter]:
    """The routers of all pages."""
    return [import_module(f"{__name__}.{name}").router for name in PAGES]
