"""ORCA's read API.  `router` is mounted under `/orca_api` and under `/`."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

router = APIRouter()
"""Paths without a slash at the end: `security.paths` removes it, and doubled slashes, before any route."""
PREFIXES: tuple[str, ...] = ()
"""What the paths of the API begin with, beside `/orca_api`: requests below these get errors as JSON."""


def failure(status: int, message: str) -> Response:
    """An error in ORCA's shape, for requests that no route of the API has seen (wrong host, no token)."""
    return JSONResponse({"message": message}, status)
