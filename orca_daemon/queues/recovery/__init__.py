"""recovery queue: copies restored objects to their destinations, and posts their progress.

A copy request names its destination.  An S3 event names only an object: the destinations are in its open rows
in `recovery_file`, or, in disaster recovery, follow from a rule in the settings.
"""

from orca_daemon.aws.publisher import SQS, Publisher
from orca_daemon.aws.s3copy import Copier, CopyOptions
from orca_daemon.aws.s3copy.plan import MIB
from orca_daemon.aws.s3copy.window import MOST
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.route import Route
from orca_daemon.queues.places import S3, read, write
from orca_daemon.queues.recovery.handler import Recovery
from orca_daemon.queues.recovery.reporters import FailureReporter, StatusReporter
from orca_daemon.queues.recovery.targets import is_restore
from orca_daemon.queues.recovery.telemetry import CopyTelemetry, describe
from orca_daemon.queues.services import Services
from orca_daemon.settings import CopiesSection, Settings
from orca_daemon.settings.buckets import CopyRules
from orca_daemon.wire import recovery as wire
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.recovery import RecoveryMessage

NAME = "recovery"
LONGEST = 39_600.0
"""Time limit of one message, in seconds: SQS lets a message stay in flight for twelve hours at most."""


def route(services: Services) -> Route[RecoveryMessage]:
    """The recovery queue.  Needs a database, except in some disaster recoveries (`needs`)."""
    settings = services.settings
    telemetry = CopyTelemetry(services.metrics.copies)
    copier = Copier(services.clients.s3, options(settings.copies), telemetry.moved)
    services.metrics.copies.watch(lambda: copier.requests.in_flight["upload_part_copy"])
    reporter, database, rules = status_reporter(services), services.database, CopyRules.of(settings)
    return Route(
        name=NAME,
        decode=_decode,
        handle=Recovery(copier, reporter, database, settings.recovery, rules, telemetry),
        gave_up=FailureReporter(copier, reporter, database, rules) if reporter else None,
        needs=needs(settings, database=database is not None),
        by_place=frozenset({S3, SQS} if reporter else {S3}),
        places=places,
        concurrency=settings.copies.files or MOST,
        ahead=False,  # what waits here could be at work in another replica
        max_attempts=settings.copies.attempts,
        backoff=Backoff(base=settings.copies.retry_sleep, cap=max(30.0, settings.copies.retry_sleep)),
        time_limit=LONGEST,
        describe=describe,
    )


def needs(settings: Settings, *, database: bool) -> frozenset[str]:
    """Postgres, except in a disaster recovery without a configured database."""
    without = settings.recovery.unknown_keys == "route" and not database
    return frozenset(() if without else {"postgres"})


def places(message: RecoveryMessage) -> frozenset[tuple[str, str]]:
    """The places that a message itself names; the target of an event's object is in the database."""
    if isinstance(message, CopyRequest):
        return frozenset({read(message.source_bucket), write(message.restore_destination)})
    return frozenset(read(record.bucket) for record in message.records if is_restore(record.name))


def options(copies: CopiesSection) -> CopyOptions:
    """The copier's options, from the settings."""
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
    """The reporter of progress; None if no status-update queue is configured."""
    settings = services.settings
    if settings.status_url is None:
        return None
    return StatusReporter(
        Publisher(services.clients.control, settings.status_url, grouping=settings.status_grouping)
    )


def _decode(envelope: Envelope) -> RecoveryMessage:
    return wire.decode(envelope.body)
