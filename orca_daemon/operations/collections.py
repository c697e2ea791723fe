"""Which collection was meant, if nothing has the one that was named: filters take whole ids."""

from orca_daemon.db import jobs
from orca_daemon.db.database import Database
from orca_daemon.operations.database import database
from orca_daemon.settings import Settings

MOST = 5
"""Collections that are proposed."""


async def near_collections(opened: Database, text: str) -> list[str]:
    """At most `MOST` that begin with the text or have it as their short name; none if one is called so.

    Raises:
        DependencyDown, PostgresError: the database cannot be read.
    """
    near = await opened.transact(jobs.near_collections, text, limit=MOST)
    return [] if text in near else near


async def proposal(settings: Settings, text: str) -> str:
    """`there is no collection X; did you mean Y or Z?`; empty if there is nothing to propose.

    Raises:
        AddressError, DependencyDown, PostgresError: the database cannot be read.
    """
    async with database(settings) as opened:
        return question(text, await near_collections(opened, text))


def question(text: str, near: list[str]) -> str:
    """The sentence; empty without collections."""
    return f"there is no collection {text}; did you mean {' or '.join(near)}?" if near else ""
