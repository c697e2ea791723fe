"""internal-report queue: compares inventories or stored listings with the catalog, and exports tables."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from orca_daemon.engine.errors import Reject
from orca_daemon.engine.message import Delivery, Envelope
from orca_daemon.engine.route import Route
from orca_daemon.queues.internal_report import first_use
from orca_daemon.queues.internal_report.comparisons import instrumented
from orca_daemon.queues.places import S3, read, write
from orca_daemon.queues.services import Services
from orca_daemon.reconcile.run import Reconciler
from orca_daemon.wire import inventory
from orca_daemon.wire.inventory import ExportRequest, InternalReportMessage, InventoryPointer, StoredListing
from orca_daemon.wire.s3_event import S3Notification

NAME = "internal_report"
_HOURS = 3600.0
_LONGEST_LIST = 3000
"""Characters of a list of names in a log line; a message may be 256 KiB long."""


def route(services: Services) -> Route[InternalReportMessage]:
    """The internal-report queue.  A comparison may take hours."""
    handler = InternalReport(services)
    return Route(
        name=NAME,
        decode=decode,
        handle=handler,
        gave_up=handler.gave_up,
        needs=frozenset({"postgres"}),
        by_place=frozenset({S3}),
        places=partial(places, services.settings.export.bucket),
        concurrency=2,
        ahead=False,  # what waits here could be at work in another replica
        max_attempts=3,
        time_limit=11 * _HOURS,
        describe=describe,
    )


def decode(envelope: Envelope) -> InternalReportMessage:
    """The message in the body; on this queue the attributes do not matter."""
    return inventory.decode(envelope.body)


def describe(message: InternalReportMessage) -> dict[str, str]:
    """The facts of a message for its log line."""
    match message:
        case InventoryPointer():
            return {"manifest": f"s3://{message.report_bucket_name}/{message.manifest_key}"}
        case StoredListing():
            return {"job": str(message.job_id), "bucket": message.orca_archive_location}
        case ExportRequest():
            return {"tables": _joined(message.tables_to_query)}
        case S3Notification():
            return {"manifest": _joined([f"s3://{record.bucket}/{record.key}" for record in message.records])}


def _joined(names: Sequence[str]) -> str:
    """The names with commas, cut off after `_LONGEST_LIST` characters."""
    kept, left = list[str](), _LONGEST_LIST
    for name in names:
        left -= len(name)
        if left < 0:
            return f"{','.join(kept)} and {len(names) - len(kept)} more"
        kept.append(name)
    return ",".join(kept)


def places(export_bucket: str | None, message: InternalReportMessage) -> frozenset[tuple[str, str]]:
    """The places in S3 that a message needs; a stored listing is in Postgres and needs nothing in S3."""
    match message:
        case InventoryPointer():
            return frozenset({read(message.report_bucket_name)})
        case S3Notification():
            return frozenset(read(pointer.report_bucket_name) for pointer in pointers(message))
        case ExportRequest() if export_bucket is not None:
            return frozenset({write(export_bucket)})
        case _:
            return frozenset()


class InternalReport:
    """Handles one message at a time."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, run: Sequence[Delivery[InternalReportMessage]], /) -> None:
        """Do what the message asks for; see `Handler`."""
        for delivery in run:
            await self._handle(delivery.message, datetime.fromtimestamp(delivery.envelope.sent_at, UTC))

    async def _handle(self, message: InternalReportMessage, sent: datetime) -> None:
        match message:
            case InventoryPointer():
                compare = partial(self._reconciler.inventory, message, sent=sent)
                await instrumented(self._services, lambda on_message: compare(on_message=on_message))
            case StoredListing():
                compare_stored = partial(self._reconciler.stored, message, sent=sent)
                await instrumented(self._services, lambda on_message: compare_stored(on_message=on_message))
            case ExportRequest():
                exports = await first_use.exports()
                await exports.export_tables(self._services, message)
            case S3Notification():
                for pointer in pointers(message):
                    await self._handle(pointer, sent)

    async def gave_up(self, message: InternalReportMessage | None, _: Envelope, reason: str, /) -> None:
        """Write the reason to the job of a comparison; an export has no job."""
        match message:
            case InventoryPointer() | StoredListing():
                await self._reconciler.give_up(message, reason)
            case S3Notification():
                for pointer in pointers(message):
                    await self._reconciler.give_up(pointer, reason)
            case _:
                return

    @property
    def _reconciler(self) -> Reconciler:
        services = self._services
        if services.database is None:
            raise Reject("no database is configured")
        return Reconciler(services.settings, services.database, services.clients.s3)


def pointers(event: S3Notification) -> list[InventoryPointer]:
    """The inventories that an event announces; an event of another object announces none."""
    return [pointer for record in event.records if (pointer := inventory.pointer(record))]
