"""What the daemons say of themselves in the database; their documents may be of another version."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from orca_daemon.db.control import DaemonRow

T = TypeVar("T")
_RATES = ("received_per_second", "finished_per_second", "dead_lettered_per_second")
SILENT = 30.0
"""Seconds after which a daemon that has not written its row counts as gone: three times its interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One long piece of work of a daemon, and how far it is."""

    daemon: UUID
    host: str
    kind: str
    """`comparison`, `export`, `copy`."""
    what: str
    since: datetime | None
    stage: str | None
    done: float | None
    total: float | None
    unit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Down:
    """A dependency that a daemon cannot use."""

    host: str
    dependency: str
    seconds: float
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumed:
    """A queue as all daemons together work on it."""

    daemons: int = 0
    """Number of daemons that serve it."""
    held: int = 0
    """Messages in flight, at work or not."""
    running: int = 0
    waiting: float | None = None
    """About how many messages wait on the queue; None if no daemon has read it."""
    received_per_second: float = 0.0
    finished_per_second: float = 0.0
    dead_lettered_per_second: float = 0.0
    oldest_held: float | None = None
    """Seconds."""
    oldest_waiting: datetime | None = None
    retention: float | None = None
    """Seconds after which SQS deletes a message."""
    expires_at: datetime | None = None
    """About when SQS begins to delete what waits on it; None if nothing is known to."""
    paused_by: tuple[str, ...] = ()
    """Causes for which at least one daemon does not read it: `database`, `settings`, `signal`."""
    down: bool = False
    """Whether a daemon does not read it because a dependency is down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """One daemon."""

    row: DaemonRow
    queues: tuple[str, ...]
    held: int
    state: str
    work: tuple[Work, ...]
    down: tuple[Down, ...]

    @property
    def silent(self) -> bool:
        """Whether it has not written for too long."""
        return self.row.silent >= SILENT


@dataclass(frozen=True, slots=True)
class Fleet:
    """All daemons."""

    daemons: Sequence[Daemon] = ()
    queues: Mapping[str, Consumed] = field(default_factory=dict)
    """By name; only those that a daemon which is not silent works on."""

    @property
    def alive(self) -> Sequence[Daemon]:
        """Those that are not silent."""
        return [daemon for daemon in self.daemons if not daemon.silent]


def fleet(rows: Iterable[DaemonRow]) -> Fleet:
    """What these rows say."""
    daemons = [_daemon(row) for row in rows]
    queues: dict[str, Consumed] = {}
    for daemon in daemons:
        if not daemon.silent:
            for entry in _entries(daemon.row.state, "queues"):
                name = _text(entry.get("name"))
                queues[name] = _with(queues.get(name, Consumed()), entry)
    return Fleet(daemons, queues)


def _daemon(row: DaemonRow) -> Daemon:
    state = row.state
    queues = _entries(state, "queues")
    return Daemon(
        row=row,
        queues=tuple(_text(entry.get("name")) for entry in queues),
        held=sum(int(_number(entry.get("held")) or 0) for entry in queues),
        state="draining" if state.get("draining") else "paused" if state.get("paused") else "working",
        work=tuple(_work(row, entry) for entry in _entries(state, "work")),
        down=tuple(
            Down(
                host=row.host,
                dependency=_text(entry.get("dependency")),
                seconds=_number(entry.get("seconds")) or 0.0,
                places=tuple(_text(place) for place in entry.get("places") or ()),
            )
            for entry in _entries(state, "down")
        ),
    )


def _work(row: DaemonRow, entry: Mapping[str, Any]) -> Work:
    return Work(
        daemon=row.id,
        host=row.host,
        kind=_text(entry.get("kind")),
        what=_text(entry.get("what")),
        since=_time(entry.get("since")),
        stage=_text(entry.get("stage")) or None,
        done=_number(entry.get("done")),
        total=_number(entry.get("total")),
        unit=_text(entry.get("unit")) or None,
    )


def _with(known: Consumed, entry: Mapping[str, Any]) -> Consumed:
    oldest = _moment(_number(entry.get("oldest_waiting")))
    retention = _number(entry.get("retention_seconds"))
    expires = oldest + timedelta(seconds=retention) if oldest and retention else None
    causes = [_text(cause) for cause in entry.get("paused_by") or ()]
    return Consumed(
        daemons=known.daemons + 1,
        held=known.held + int(_number(entry.get("held")) or 0),
        running=known.running + int(_number(entry.get("running")) or 0),
        waiting=max(_given(known.waiting, _number(entry.get("waiting"))), default=None),
        **{name: getattr(known, name) + (_number(entry.get(name)) or 0.0) for name in _RATES},
        oldest_held=max(_given(known.oldest_held, _number(entry.get("oldest_held_seconds"))), default=None),
        oldest_waiting=min(_given(known.oldest_waiting, oldest), default=None),
        retention=retention or known.retention,
        expires_at=min(_given(known.expires_at, expires), default=None),
        paused_by=tuple(dict.fromkeys([*known.paused_by, *causes])),
        down=known.down or bool(entry.get("down")),
    )


def _given(*values: T | None) -> list[T]:
    return [value for value in values if value is not None]


def _entries(state: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    entries = state.get(name)
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _moment(seconds: float | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (OverflowError, OSError, ValueError):
        return None


def _time(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
