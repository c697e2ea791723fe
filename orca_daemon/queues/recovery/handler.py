"""The work of one message: its copies, and the news of them."""

from collections.abc import Sequence

from orca_daemon.aws.s3copy import Copier, S3Object
from orca_daemon.db.database import Database
from orca_daemon.engine.errors import NotYet, Reject
from orca_daemon.engine.message import Delivery
from orca_daemon.queues.recovery.copy_telemetry import CopyTelemetry
from orca_daemon.queues.recovery.destination import destination
from orca_daemon.queues.recovery.facts import Findings, Result
from orca_daemon.queues.recovery.gather import all_of
from orca_daemon.queues.recovery.rows import Row, by_destination, chunk_of, of_object
from orca_daemon.queues.recovery.shapes import EXPIRED, is_restore, parts_of
from orca_daemon.queues.recovery.status_reporter import StatusReporter
from orca_daemon.settings import RecoverySection as Settings
from orca_daemon.settings.buckets import CopyRules
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.recovery import RecoveryMessage
from orca_daemon.wire.s3_event import S3Record
from orca_daemon.wire.status import RecoveryStatus


class Recovery:
    """Handles copy requests and S3 events.

    Doing a message twice changes nothing: a target that holds its content is not copied again, and rows
    that are closed are left alone.
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
        """Work the one message of a run."""
        [delivery] = run
        found = Findings()
        try:
            await self._work(delivery.message, age(delivery), found)
        finally:
            # Of this attempt only: the error of an earlier one is no fact of the message any more.
            delivery.facts.clear()
            delivery.facts.update(found.facts())

    async def _work(self, message: RecoveryMessage, seconds: float, found: Findings) -> None:
        if isinstance(message, CopyRequest):
            source, target, row = parts_of(message)
            await self._deliver(source, target, [row], found)
        elif not message.records:
            found.outcomes["test" if message.test else "empty"] += 1
            self._telemetry.metrics.event("test" if message.test else "empty")
        else:
            unique = {(record.bucket, record.key, record.name): record for record in message.records}
            await all_of(self._record(record, seconds, found) for record in unique.values())

    async def _record(self, record: S3Record, seconds: float, found: Findings) -> None:
        source = S3Object(record.bucket, record.key)
        try:
            outcome = await self._restored(source, record, seconds, found)
        except Exception as error:
            found.failed(source, error)
            raise
        found.outcomes[outcome] += 1
        self._telemetry.metrics.event(outcome)

    async def _restored(self, source: S3Object, record: S3Record, seconds: float, found: Findings) -> str:
        """What an event came to."""
        if record.name == EXPIRED:
            return "expired"
        if not is_restore(record.name):
            raise Reject(f"{record.name} is no news of a restore: the queue is subscribed to too much")
        if refusal := self._rules.source_refusal(source.bucket):
            raise Reject(refusal)
        facts = await self._copier.head(source)
        if facts.restoring:
            return "restoring"  # S3 sends an event when it is completed
        rows = await self._rows(source)
        if waiting := [row for row in rows if row.waits(record.time)]:
            if facts.archived:
                raise Reject(f"{source} is archived and not restored (or its restore has expired)")
            await self._share(source, waiting, found)
            return "recovered"
        if rows:
            return "duplicate"
        return await self._unknown(source, seconds, found)

    async def _rows(self, source: S3Object) -> list[Row]:
        return [] if self._database is None else await self._database.transact(of_object, source)

    async def _share(self, source: S3Object, waiting: list[Row], found: Findings) -> None:
        await all_of(
            self._deliver(source, S3Object(bucket, source.key), rows, found)
            for bucket, rows in by_destination(waiting).items()
        )

    async def _unknown(self, source: S3Object, seconds: float, found: Findings) -> str:
        """No job of the database knows the object, of which a message told so many seconds ago."""
        if self._database is not None and seconds < self._settings.event_grace:
            raise NotYet(f"no job asked for {source} so far")
        if self._settings.unknown_keys == "reject":
            self._telemetry.metrics.event("unknown")
            raise Reject(f"no job asked for {source}")
        target = S3Object(destination(source.key, self._settings), source.key)
        await self._deliver(source, target, [], found)
        return "routed"

    async def _deliver(self, source: S3Object, target: S3Object, rows: list[Row], found: Findings) -> None:
        """One copy, and its news for all who wait for it."""
        if refusal := self._rules.refusal(source.bucket, target.bucket):
            found.results.append(Result(source, target, error=Reject(refusal)))
            raise Reject(refusal)
        for row in rows:
            if row.status is RecoveryStatus.PENDING and self._status_reporter:
                await self._status_reporter.staged(row)
        try:
            async with self._telemetry.timed(target) as result:
                result.append(await self._copier.copy(source, target, chunk=chunk_of(rows)))
        except Exception as error:
            found.results.append(Result(source, target, error=error))
            raise
        found.results.append(Result(source, target, result[0]))
        for row in rows:
            if self._status_reporter:
                await self._status_reporter.succeeded(row)


def age(delivery: Delivery[RecoveryMessage]) -> float:
    """Seconds since a message was sent, at least; our wall clock may be wrong and is not asked.

    They are counted by the clock of the queue until its first receive, then by our monotonic clock.  The time
    between deliveries to two processes is not counted.
    """
    envelope = delivery.envelope
    return max(envelope.first_received_at - envelope.sent_at, 0.0) + delivery.held_seconds
