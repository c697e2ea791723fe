"""What is wrong now, in sentences, the worst first.  Decisions only: the facts are passed in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orca_daemon.console.queues import QueueCounts
from orca_daemon.console.show import absolute, duration, link, plural, shortened, visible
from orca_daemon.db.control import Pause
from orca_daemon.operations.daemons import Fleet

_NEAR_END = 0.8
"""Part of a queue's retention after which waiting messages are in danger."""


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that is wrong: `bad` stops work or loses messages, `warn` wants to be known."""

    kind: str
    text: str
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What concerns are judged by."""

    now: datetime
    installed: bool
    """Whether the tables of steering exist."""
    fleet: Fleet
    queues: Sequence[QueueCounts]
    pauses: Mapping[str, Pause]
    failed_files: int
    """In the last day."""
    failed_cut: bool
    """Whether there are more than were counted."""
    failed_comparisons: Sequence[str]
    """Buckets whose newest comparison failed."""
    problem: str = ""
    """Why the database could not be read; then the rest that comes from it is empty."""


def concerns(facts: Facts) -> list[Concern]:
    """All of them."""
    found = [*_of_database(facts), *_of_daemons(facts), *_of_queues(facts), *_of_work(facts)]
    return sorted(found, key=lambda concern: concern.kind != "bad")


def _of_database(facts: Facts) -> Iterator[Concern]:
    if facts.problem:
        yield Concern("bad", f"The database cannot be read: {facts.problem}.")
    elif not facts.installed:
        yield Concern(
            "warn",
            "The daemon's own tables do not exist, so daemons and dead letters are not known here: "
            "run orca-daemon db upgrade.",
        )


def _of_daemons(facts: Facts) -> Iterator[Concern]:
    if not facts.installed or facts.problem:
        return
    if not facts.fleet.alive:
        yield Concern("bad", "No daemon reports: none runs, or none reaches the database.")
    for daemon in facts.fleet.daemons:
        host = visible(shortened(daemon.row.host, 60))
        if daemon.silent and facts.fleet.alive:
            yield Concern("warn", f"The daemon on {host} has not reported for {duration(daemon.row.silent)}.")
        for down in () if daemon.silent else daemon.down:
            where = (
                f" ({', '.join(visible(shortened(place, 80)) for place in down.places[:3])})"
                if down.places
                else ""
            )
            yield Concern(
                "bad",
                f"{visible(down.dependency)}{where} has been down for {duration(down.seconds)}, says {host}.",
            )


def _of_queues(facts: Facts) -> Iterator[Concern]:
    for queue in facts.queues:
        consumed, pause = facts.fleet.queues.get(queue.name), facts.pauses.get(queue.name)
        if queue.problem:
            yield Concern("bad", f"{queue.name}: {visible(shortened(queue.problem, 300))}.")
        if pause:
            since = absolute(pause.since, facts.now)
            why = f": {visible(shortened(pause.why, 200))}" if pause.why else ""
            yield Concern(
                "warn",
                f"{queue.name} has been paused by {visible(shortened(pause.who, 60))} since {since}{why}.",
            )
        if queue.dead:
            yield Concern(
                "warn",
                f"{queue.name} has about {plural(queue.dead, 'dead letter')}.",
                link("/dead-letters", {"queue": queue.name}),
            )
        if consumed is None:
            if queue.waiting and facts.fleet.alive:
                count = plural(queue.waiting, "message")
                yield Concern("bad", f"No daemon reads {queue.name}, where about {count} can be received.")
        elif consumed.oldest_waiting and consumed.retention:
            waited = (facts.now - consumed.oldest_waiting).total_seconds()
            if waited > _NEAR_END * consumed.retention:
                left = duration(consumed.retention - waited)
                yield Concern("bad", f"SQS deletes the oldest message of {queue.name} in about {left}.")


def _of_work(facts: Facts) -> Iterator[Concern]:
    if facts.failed_files:
        more = "More than " if facts.failed_cut else ""
        yield Concern(
            "warn",
            f"{more}{plural(facts.failed_files, 'file')} failed in the last 24 h.",
            "/failures?since=1d",
        )
    for bucket in facts.failed_comparisons:
        yield Concern(
            "warn",
            f"The newest comparison of {visible(shortened(bucket, 80))} failed.",
            link("/reconciliation", {"bucket": bucket}),
        )
