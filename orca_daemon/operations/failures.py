"""What failed, grouped by reason: recovery files, comparisons, exports and dead letters of all queues."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection

from orca_daemon.aws.dead_letter import DeadLetter
from orca_daemon.aws.dead_letter_queue import DeadLetterFilter
from orca_daemon.db import action_position, dead_letter_records, failed_work
from orca_daemon.db.failed_work import FailedText
from orca_daemon.engine.errors import SourceError
from orca_daemon.operations.database import database
from orca_daemon.operations.dead_letter_counts import QueueCount, count_queues
from orca_daemon.operations.dead_letters import peek
from orca_daemon.operations.errors import NotFoundError
from orca_daemon.operations.folding import READ, fold, reason_id
from orca_daemon.settings import Settings

NO_REASON = "no reason was recorded"
_EXPORTED = "tables"
"""The fact that only the log lines of exports have."""


class FailureSource(StrEnum):
    """What failed."""

    FILES = "files"
    REPORTS = "reports"
    EXPORTS = "exports"
    DEAD_LETTERS = "dead_letters"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Failures that have a reason in common."""

    reason_id: str
    """The same for the same failures tomorrow and on another machine."""
    source: FailureSource
    queue: str | None
    """Of exports and dead letters, the queue's name in the settings."""
    reason: str
    """The text that they have in common, with placeholders for names, numbers and times."""
    count: int
    first: datetime
    last: datetime
    example: str
    """The text of one of them."""
    example_id: str
    """The id of its recovery job, comparison or dead letter."""

    @property
    def can_recover(self) -> bool:
        """Whether copies can be requested again."""
        return self.source is FailureSource.FILES

    @property
    def can_redrive(self) -> bool:
        """Whether they are dead letters, which can be sent back to their queue."""
        return self.source in {FailureSource.DEAD_LETTERS, FailureSource.EXPORTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """What failed since a time."""

    since: datetime
    groups: list[FailureGroup]
    """The largest first."""
    queues: list[QueueCount]
    """The dead letters of each queue with a URL, and how many of them the groups cannot have."""

    def find(self, reason: str) -> FailureGroup:
        """The group with this id, or as much of its beginning as no other has.  Raises NotFoundError."""
        found = [group for group in self.groups if group.reason_id.startswith(reason)] if reason else []
        if len(found) != 1:
            several = ", ".join(group.reason_id for group in found)
            raise NotFoundError(
                f"several reasons begin with {reason!r}: {several}"
                if found
                else f"nothing failed with the reason {reason!r} since {self.since:%Y-%m-%dT%H:%M:%SZ}"
            )
        return found[0]


async def read_failures(settings: Settings, since: datetime, *, most_unknown: int = 0) -> Failures:
    """What failed since then.

    Args:
        settings: of the database, of AWS and of the queues.
        since: the time of the failure, or of the dead-lettering.
        most_unknown: read so many dead letters of each queue that has some without a record.  While they are
            read, other consumers do not see them.

    Raises:
        AddressError, DependencyDown, PostgresError: the database cannot be read.
    """
    async with database(settings) as opened:
        groups = await opened.transact(groups_since, since)
        queues = await count_queues(settings, await opened.transact(dead_letter_records.counts))
        for each in queues if most_unknown else ():
            if each.more:
                letters = await _peek(settings, each.queue, since, most_unknown)
                known = await opened.transact(
                    dead_letter_records.known, each.queue, [letter.id for letter in letters]
                )
                unknown = [letter for letter in letters if letter.id not in known]
                groups = add_letters(groups, each.queue, unknown)
    return Failures(since=since, groups=groups, queues=queues)


async def group_of_action(settings: Settings, action: UUID, reason: str) -> FailureGroup | None:
    """The group of an action that was cut short: its failures may be mended, and the group be gone.

    None if there is no such action, or if its reason has another id than this, or than one that begins so.
    """
    async with database(settings) as opened:
        about = await opened.transact(action_position.about, action)
    if not str(about.get("reason_id", "")).startswith(reason):
        return None
    now = datetime.now(UTC)
    return FailureGroup(
        reason_id=about["reason_id"],
        source=FailureSource.DEAD_LETTERS if "queue" in about else FailureSource.FILES,
        queue=about.get("queue"),
        reason=about["reason"],
        count=0,
        first=now,
        last=now,
        example="",
        example_id="",
    )


def groups_since(connection: Connection, since: datetime) -> list[FailureGroup]:
    """What the database knows of failures since then, the largest group first."""
    texts = _Groups()
    for text in failed_work.failed_files_by_text(connection, since, longest=READ):
        texts.add(FailureSource.FILES, text)
    for text in failed_work.failed_reports_by_text(connection, since, longest=READ):
        texts.add(FailureSource.REPORTS, text)
    for text in failed_work.dead_letters_by_text(connection, since, longest=READ):
        texts.add(FailureSource.EXPORTS if text.export else FailureSource.DEAD_LETTERS, text)
    return texts.sorted()


def add_letters(
    groups: Iterable[FailureGroup], queue: str, letters: Sequence[DeadLetter]
) -> list[FailureGroup]:
    """The groups with these dead letters, of which there is no record."""
    texts = _Groups()
    for group in groups:
        texts.merge(group)
    for letter in letters:
        when = datetime.fromtimestamp(letter.dead_lettered_at, UTC)
        text = FailedText(
            text=letter.reason[:READ], number=1, first=when, last=when, example=letter.id, queue=queue
        )
        texts.add(source_of(letter), text)
    return texts.sorted()


def source_of(letter: DeadLetter) -> FailureSource:
    """Whether a dead letter is the request for an export."""
    return FailureSource.EXPORTS if _EXPORTED in letter.evidence else FailureSource.DEAD_LETTERS


def folded_reason(text: str | None) -> str:
    """The reason of a failure with this text, as its group has it."""
    return fold(text or "") or NO_REASON


def letters_of(group: FailureGroup, since: datetime) -> DeadLetterFilter:
    """The dead letters with the group's reason."""
    return DeadLetterFilter(
        since=since.timestamp(), test=lambda letter: folded_reason(letter.reason) == group.reason
    )


@dataclass(slots=True)
class _Sum:
    """The failures with one reason so far; the example is that of the last."""

    count: int
    first: datetime
    last: datetime
    example: str
    example_id: str


class _Groups:
    """Collects failures by reason."""

    def __init__(self) -> None:
        self._sums: dict[tuple[FailureSource, str | None, str], _Sum] = {}

    def add(self, source: FailureSource, failed: FailedText) -> None:
        """Add what failed with one text."""
        text, count, first, last, example, queue, _ = failed
        self._add((source, queue, folded_reason(text)), count, first, last, text or NO_REASON, example)

    def merge(self, group: FailureGroup) -> None:
        """Add a group."""
        key = group.source, group.queue, group.reason
        self._add(key, group.count, group.first, group.last, group.example, group.example_id)

    def sorted(self) -> list[FailureGroup]:
        """The groups, the largest first."""
        groups = [
            FailureGroup(
                reason_id=reason_id(source, queue or "", reason),
                source=source,
                queue=queue,
                reason=reason,
                count=each.count,
                first=each.first,
                last=each.last,
                example=each.example,
                example_id=each.example_id,
            )
            for (source, queue, reason), each in self._sums.items()
        ]
        return sorted(groups, key=lambda group: (-group.count, group.source, group.reason_id))

    def _add(
        self,
        key: tuple[FailureSource, str | None, str],
        count: int,
        first: datetime,
        last: datetime,
        example: str,
        example_id: str,
    ) -> None:
        known = self._sums.get(key)
        if known is None:
            self._sums[key] = _Sum(count, first, last, example, example_id)
            return
        known.count += count
        known.first = min(known.first, first)
        if last > known.last:
            known.last, known.example, known.example_id = last, example, example_id


async def _peek(settings: Settings, queue: str, since: datetime, most: int) -> list[DeadLetter]:
    """Dead letters as SQS shows them; none if it refuses, as `count_queues` has reported."""
    try:
        return (await peek(settings, queue, DeadLetterFilter(since=since.timestamp()), most)).letters
    except SourceError:
        return []
