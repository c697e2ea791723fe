"""Handles one message of the recovery queue: makes its copies and posts their progress."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any

from orca_daemon.aws.s3copy import Copier, S3Object
from orca_daemon.db.database import Database
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
from orca_daemon.engine.message import Delivery
from orca_daemon.queues.recovery.reporters import StatusReporter
from orca_daemon.queues.recovery.targets import (
    EXPIRED,
    Row,
    by_destination,
    chunk_of,
    destination,
    is_restore,
    of_object,
    parts_of,
)
from orca_daemon.queues.recovery.telemetry import AttemptResults, CopyTelemetry, EventOutcome, Result
from orca_daemon.settings import RecoverySection as Settings
from orca_daemon.settings.buckets import CopyRules
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.recovery import RecoveryMessage
from orca_daemon.wire.s3_event import S3Record
from orca_daemon.wire.status import RecoveryStatus

_MOST_REASONS = 3
"""Sentences in the reason of one rejection."""


class Recovery:
    """Handles copy requests and S3 events.

    Handling a message twice changes nothing: a target that has its content is not copied again, and closed
    rows are left alone.
    """

    def __init__(
        self,
        copier: Copier,
        status_reporter: StatusReporter | None,
        database: Database | None,
        settings: Settings,
        rules: CopyRules,
        telemetry: CopyTelemetry,
    ) -> None:
        self._copier, self._status_reporter, self._database = copier, status_reporter, database
        self._settings, self._rules, self._telemetry = settings, rules, telemetry

    async def __call__(self, run: Sequence[Delivery[RecoveryMessage]], /) -> None:
        """Handle the one message of a run."""
        [delivery] = run
        attempt = AttemptResults(first=delivery.attempt == 1 and delivery.envelope.receive_count == 1)
        try:
            await self._handle(delivery.message, age(delivery), attempt)
        finally:
            # Only the facts of this attempt: the error of an earlier one is out of date.
            delivery.facts.clear()
            delivery.facts.update(attempt.facts())

    async def _handle(self, message: RecoveryMessage, age: float, attempt: AttemptResults) -> None:
        if isinstance(message, CopyRequest):
            source, target, row = parts_of(message)
            await self._deliver(source, target, [row], attempt)
        elif not message.records:
            outcome = EventOutcome.TEST if message.test else EventOutcome.EMPTY
            attempt.outcomes[outcome] += 1
            self._telemetry.metrics.event(outcome)
        else:
            unique = {(record.bucket, record.key, record.name): record for record in message.records}
            await _all_of(self._handle_record(record, age, attempt) for record in unique.values())

    async def _handle_record(self, record: S3Record, age: float, attempt: AttemptResults) -> None:
        source = S3Object(record.bucket, record.key)
        try:
            outcome = await self._recover(source, record, age, attempt)
        except Exception as error:
            if not attempt.recorded(source):
                attempt.failed(source, await self._buckets_of(source, error), error)
            raise
        attempt.outcomes[outcome] += 1
        self._telemetry.metrics.event(outcome)

    async def _recover(
        self, source: S3Object, record: S3Record, age: float, attempt: AttemptResults
    ) -> EventOutcome:
        """Copy the object of an event to every bucket where a row waits for it."""
        if record.name == EXPIRED:
            return EventOutcome.EXPIRED
        if not is_restore(record.name):
            raise Reject(f"{record.name} is not a restore event: the bucket's notifications include too much")
        if refusal := self._rules.source_refusal(source.bucket):
            raise Reject(refusal)
        head = await self._copier.head(source)
        if head.restoring:
            return EventOutcome.RESTORING  # S3 sends an event when it is completed
        rows = [] if self._database is None else await self._database.transact(of_object, source)
        if waiting := [row for row in rows if row.waits(record.time)]:
            attempt.jobs |= dict.fromkeys(row.job_id for row in waiting)
            if head.archived:
                raise Reject(f"{source} is archived and not restored (or its restore has expired)")
            await _all_of(
                self._deliver(source, S3Object(bucket, source.key), group, attempt)
                for bucket, group in by_destination(waiting).items()
            )
            return EventOutcome.RECOVERED
        if rows:
            return EventOutcome.DUPLICATE
        return await self._recover_without_rows(source, age, attempt)

    async def _buckets_of(self, source: S3Object, error: Exception) -> list[str]:
        """Where an object that failed would have been copied to, as far as that is known without S3."""
        with suppress(Exception):  # it is about the log line of a failure, which is raised all the same
            if self._database is None and self._settings.unknown_keys == "route":
                return [destination(source.key, self._settings)]
            # Only if no other attempt follows: a failure that is waited for would ask again and again.
            if self._database is not None and isinstance(error, Reject):
                rows = await self._database.transact(of_object, source)
                return list(by_destination(row for row in rows if row.open))
        return []

    async def _recover_without_rows(
        self, source: S3Object, age: float, attempt: AttemptResults
    ) -> EventOutcome:
        """Wait for the job until `event_grace` is over; then copy by the rule, or reject."""
        if self._database is not None and age < self._settings.event_grace:
            raise NotYet(f"no job asked for {source} so far")
        if self._settings.unknown_keys == "reject":
            self._telemetry.metrics.event(EventOutcome.UNKNOWN)
            raise Reject(f"no job asked for {source}")
        target = S3Object(destination(source.key, self._settings), source.key)
        await self._deliver(source, target, [], attempt)
        return EventOutcome.ROUTED

    async def _deliver(
        self, source: S3Object, target: S3Object, rows: list[Row], attempt: AttemptResults
    ) -> None:
        """Make one copy, and post its progress for all rows that wait for it."""
        if refusal := self._rules.refusal(source.bucket, target.bucket):
            attempt.results.append(Result(source, target, error=Reject(refusal)))
            raise Reject(refusal)
        for row in rows:
            if row.status is RecoveryStatus.PENDING and self._status_reporter:
                await self._status_reporter.staged(row)
        try:
            async with self._telemetry.timed(target) as result:
                copied = await self._copier.copy(source, target, chunk=chunk_of(rows), first=attempt.first)
                result.append(copied)
        except Exception as error:
            attempt.results.append(Result(source, target, error=error))
            raise
        attempt.results.append(Result(source, target, result[0]))
        for row in rows:
            if self._status_reporter:
                await self._status_reporter.succeeded(row)


def age(delivery: Delivery[RecoveryMessage]) -> float:
    """Seconds since the message was sent, at least.

    Measured by the queue's clock until the first receive, then by our monotonic clock, because our wall clock
    may be wrong.  The time between deliveries to two processes is not counted.
    """
    envelope = delivery.envelope
    return max(envelope.first_received_at - envelope.sent_at, 0.0) + delivery.held_seconds


async def _all_of(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all of them to their end, even if one fails; then raise what `verdict` returns for the failures."""
    results = await asyncio.gather(*coroutines, return_exceptions=True)
    if failures := [error for error in results if isinstance(error, BaseException)]:
        raise verdict(failures)


def verdict(failures: list[BaseException]) -> BaseException:
    """The failure of the message as a whole: it is rejected only if no part of it can be retried."""
    worst = min(failures, key=_rank)
    if not isinstance(worst, Reject):
        return worst
    if len(failures) == 1:
        return failures[0]
    text = "; ".join(str(error) for error in failures[:_MOST_REASONS])
    more = len(failures) - _MOST_REASONS
    return Reject(f"{text}; and {more} more" if more > 0 else text)


def _rank(error: BaseException) -> int:
    match error:
        case DependencyDown():
            return 0
        case NotYet():
            return 1
        case Refused():
            return 2
        case Reject():
            return 4
        case _:
            return 3
