"""How far an unfinished action is: kept in its row, so that whoever resumes it goes on from there."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from orca_daemon.db.sql import load

_SQL = load(__package__, "action_position.sql")


def reached(connection: Connection, action: UUID, *, done: int, position: Mapping[str, Any]) -> None:
    """Record the position; the end of the action replaces it by its result."""
    connection.execute(_SQL["reached"], {"id": action, "done": done, "position": json.dumps(dict(position))})


def about(connection: Connection, action: UUID) -> Mapping[str, Any]:
    """What an action is about, as it was recorded; empty if there is no such action."""
    return connection.execute(_SQL["about"], {"id": action}).scalar() or {}
