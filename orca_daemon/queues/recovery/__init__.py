"""recovery queue: bring restored objects to where people use them, and say how it went.

A copy request names its destination.  An S3 event names an object: its open rows in `recovery_file` say
where it is wanted, and in disaster recovery a rule of the settings does.
"""

from orca_daemon.aws.publisher import SQS, Publisher
from orca_daemon.aws.s3copy import Copier, CopyOptions
from orca_daemon.aws.s3copy.plan import MIB
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.route import Route
from orca_daemon.queues.places import S3, read, write
from orca_daemon.queues.recovery.copy_telemetry import CopyTelemetry
from orca_daemon.queues.recovery.facts import describe
from orca_daemon.queues.recovery.failure_reporter import FailureReporter
from orca_daemon.queues.recovery.handler import Recovery
from orca_daemon.queues.recovery.shapes import is_restore
from orca_daemon.queues.recovery.status_reporter import StatusReporter
from orca_daemon.queues.services import Services
from orca_daemon.settings import CopiesSection, Settings
from orca_daemon.settings.buckets import CopyRules
from orca_daemon.wire import recovery as wire
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.recovery import RecoveryMessage
from orca_daemon.wire.status import Grouping

NAME = "recovery"
LONGEST = 39_600.0
"""Seconds for one message: SQS lets no delivery live longer than twelve hours."""


def route(services: Services) -> Route[RecoveryMessage]:
    """How recoveries are worked."""
    settings = services.settings
    telemetry = CopyTelemetry(services.metrics.copies)
    copier = Copier(services.clients.s3, options(settings.copies), telemetry.moved)
    services.metrics.copies.watch(lambda: copier.requests.in_flight["upload_part_copy"])
    box, database, rules = status_reporter(services), services.database, CopyRules.of(settings)
    return Route(
        name=NAME,
        decode=_decode,
        handle=Recovery(copier, box, database, settings.recovery, rules, telemetry),
        gave_up=FailureReporter(copier, box, database, rules) if box else None,
        needs=needs(settings, database=database is not None),
        by_place=frozenset({S3, SQS} if box else {S3}),
        places=places,
        concurrency=settings.copies.files,
        max_attempts=settings.copies.attempts,
        backoff=Backoff(base=settings.copies.retry_sleep, cap=max(30.0, settings.copies.retry_sleep)),
        time_limit=LONGEST,
        describe=describe,
    )


def needs(settings: Settings, *, database: bool) -> frozenset[str]:
    """Postgres, except in a disaster recovery for which none is configured."""
    alone = settings.recovery.unknown_keys == "route" and not database
    return frozenset(() if alone else {"postgres"})


def places(message: RecoveryMessage) -> frozenset[tuple[str, str]]:
    """Where a message reads and writes, as far as it says so: for an event, rows say where to write."""
    if isinstance(message, CopyRequest):
        return frozenset({read(message.source_bucket), write(message.restore_destination)})
    return frozenset(read(record.bucket) for record in message.records if is_restore(record.name))


def options(copies: CopiesSection) -> CopyOptions:
    """The settings as the copier takes them."""
    return CopyOptions(
        files=copies.files,
        requests=copies.parts,
        chunk=copies.chunk_mib * MIB,
        threshold=copies.threshold_mib * MIB,
        storage_class=copies.storage_class,
        kms_key_id=copies.kms_key_id,
        idle=copies.abandoned_after,
    )


def status_reporter(services: Services) -> StatusReporter | None:
    """Where progress is posted; None where nobody asked for it."""
    settings = services.settings
    if settings.status_url is None:
        return None
    update = settings.queues.get("status_update")
    grouping = update.grouping if update else Grouping.QUEUE
    return StatusReporter(Publisher(services.clients.control, settings.status_url, grouping=grouping))


def _decode(envelope: Envelope) -> RecoveryMessage:
    return wire.decode(envelope.body)
