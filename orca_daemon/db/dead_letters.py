"""Records the dead letters that the daemon sent: the facts of their log lines, never their bodies."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from orca_daemon.db.sql import load

_SQL = load(__package__, "dead_letters.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class SentDeadLetter:
    """One dead letter, as a row.  Its texts are storable: no NUL, no lone surrogates."""

    id: str
    """Of the dead letter itself."""
    original_id: str
    queue: str
    group: str | None
    reason: str
    """Why it was given up, as the sentence in its evidence and its log line."""
    error_type: str | None
    """The class of the error."""
    facts: Mapping[str, str]
    at: datetime
    expires_at: datetime | None = None
    """When SQS deletes it; None if that is not known."""


def record(connection: Connection, letters: Sequence[SentDeadLetter]) -> int:
    """Write the rows; returns how many are new.  A row that exists is not changed."""
    values = {
        "ids": [each.id for each in letters],
        "original_ids": [each.original_id for each in letters],
        "queues": [each.queue for each in letters],
        "groups": [each.group for each in letters],
        "reasons": [each.reason for each in letters],
        "error_types": [each.error_type for each in letters],
        "facts": [json.dumps(each.facts) for each in letters],
        "times": [each.at for each in letters],
        "expiries": [each.expires_at for each in letters],
    }
    return connection.execute(_SQL["record"], values).rowcount


def expire(connection: Connection, batch: int = 1000) -> int:
    """Remove rows of dead letters that SQS has deleted, at most `batch`; returns their number."""
    return connection.execute(_SQL["expire"], {"batch": batch}).rowcount
