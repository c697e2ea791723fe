"""The ways to compare a listing with the catalog, of which the child chooses one by the sizes of both."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal
from unittest.mock import patch

from orca_daemon.reconcile import catalog, compare, server_hash

Way = Literal["join", "join, read twice", "set aside", "hashed join", "hashed join, read twice"]
WAYS: list[Way] = ["join", "join, read twice", "set aside", "hashed join", "hashed join, read twice"]
"""`join`: DuckDB hashes both sides.  The others: Postgres hashes the catalog, which is in memory (`set aside`) or
not.  Only Parquet and ORC are read twice."""
_ENDLESS = 1 << 40


@contextmanager
def compared_by(way: Way) -> Iterator[None]:
    """Let comparisons choose this way, whatever the sizes are."""
    with ExitStack() as stack:

        def let(owner: object, name: str, value: object) -> None:
            stack.enter_context(patch.object(owner, name, value))

        if way.endswith("twice"):
            let(compare, "_ROW", _ENDLESS)
        if way.startswith("join"):
            let(server_hash, "agrees", lambda _: False)
        else:
            let(catalog, "_LEAST_PARTS", 1)
        if way.startswith("hashed"):
            let(catalog, "_OTHERS", _ENDLESS)
        yield
