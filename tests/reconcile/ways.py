"""The ways to compare a listing with the catalog, of which the child chooses one by the sizes of both."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal, get_args
from unittest.mock import patch

from orca_daemon.reconcile import catalog_copy, hash_agreement, joins, set_aside

Way = Literal["join", "join, read twice", "set aside", "set aside in parts", "parts that do not fit"]
"""In the first two, DuckDB hashes both sides; in the others, Postgres hashes the catalog."""
WAYS: tuple[Way, ...] = get_args(Way)
_ENDLESS = 1 << 40


@contextmanager
def compared_by(way: Way) -> Iterator[None]:
    """Let comparisons choose this way, whatever the sizes are; CSV is read once, and joined."""
    with ExitStack() as stack:

        def let(owner: object, name: str, value: object) -> None:
            stack.enter_context(patch.object(owner, name, value))

        match way:
            case "join" | "join, read twice":
                let(hash_agreement, "agrees", lambda _: False)
            case _:
                let(catalog_copy, "_LEAST_PARTS", 1)
        match way:
            case "join, read twice":
                let(joins, "_ROW", _ENDLESS)
            case "set aside in parts":  # three rows in each
                let(set_aside, "_ROW", 100 << 20)
            case "parts that do not fit":
                let(set_aside, "_ROW", _ENDLESS)
        yield
