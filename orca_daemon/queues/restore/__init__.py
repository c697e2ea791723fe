"""restore queue: asks S3 to restore archived objects, and has what is readable copied at once.

The path of a message:

1. `wire.restore.decode` turns any of three bodies into a `RestoreRequest`.
2. `rules` refuses what the settings forbid, before anything is posted or asked.
3. `look` asks S3 about every object (HeadObject), `plan` decides what to do, and `db.restores` records it.
4. For each granule `handler` posts its new job, asks S3, and records what S3 answered.
5. If the message is given up, `failures` reports what nothing was asked for.

A message that is delivered twice asks nothing twice: what was asked is recorded, and what was asked and
could not be recorded any more, S3 says itself.
"""

from collections.abc import Mapping
from functools import partial

from orca_daemon.aws.publisher import SQS, Publisher
from orca_daemon.aws.s3copy.requests import Requests
from orca_daemon.aws.s3copy.window import Window
from orca_daemon.aws.step_functions import STATES, StepFunctions
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.route import GaveUp, Handler, Route
from orca_daemon.queues import places
from orca_daemon.queues.places import S3
from orca_daemon.queues.restore.answers import Answers
from orca_daemon.queues.restore.attempt import Parts
from orca_daemon.queues.restore.failures import RestoreFailureReporter
from orca_daemon.queues.restore.handler import Restore
from orca_daemon.queues.restore.old_records import OldRecords
from orca_daemon.queues.restore.pace import Pace
from orca_daemon.queues.restore.posts import Posts
from orca_daemon.queues.restore.rules import RestoreRules
from orca_daemon.queues.restore.task_tokens import TaskAnswers
from orca_daemon.queues.services import Services
from orca_daemon.wire import restore as wire
from orca_daemon.wire.restore import RestoreRequest

NAME = "restore"
LONGEST = 39_600.0
"""Time limit of one message, in seconds: SQS lets a message stay in flight for twelve hours at most."""
_HEAD_BACKOFF = Backoff(base=0.5, cap=20.0)


def route(services: Services, answers: Answers | None = None) -> Route[RestoreRequest]:
    """The restore queue.  Needs a database, where it records what it asked for."""
    settings = services.settings
    retry_sleep = settings.restore.retry_sleep
    if answers is None:
        answers = TaskAnswers(StepFunctions(services.clients.states), settings.restore.heartbeat)
    handle, gave_up = handlers(services, answers)
    return Route(
        name=NAME,
        decode=decode,
        handle=handle,
        gave_up=gave_up,
        needs=frozenset({"postgres"}),
        by_place=frozenset({S3, SQS, STATES}),
        places=partial(needed_places, settings.restore.bucket),
        concurrency=2,
        ahead=False,  # what waits here could be at work in another replica
        max_attempts=settings.restore.retries + 1,
        backoff=Backoff(base=retry_sleep, cap=max(30.0, retry_sleep)),
        time_limit=LONGEST,
        describe=describe,
    )


def handlers(
    services: Services, answers: Answers | None
) -> tuple[Handler[RestoreRequest], GaveUp[RestoreRequest] | None]:
    """What works requests, and what reports those that are given up."""
    settings = services.settings
    if services.database is None or not settings.status_url or not settings.recovery_url:
        return _unusable, None
    s3, control = services.clients.s3, services.clients.control
    parts = Parts(
        heads=Requests(s3, window=Window.up_to(32), tries=3, backoff=_HEAD_BACKOFF),
        asks=Requests(s3, window=Window.up_to(32), tries=1, backoff=_HEAD_BACKOFF),
        database=services.database,
        posts=Posts(
            Publisher(control, settings.status_url, grouping=settings.status_grouping),
            Publisher(control, settings.recovery_url, name="recovery queue"),
        ),
        rules=RestoreRules.of(settings),
        pace=Pace(settings.restore.per_second),
        metrics=services.metrics.restores,
        answers=answers,
        old_records=OldRecords(services.database, settings.restore.record_days),
        expedited_fallback=settings.restore.expedited_fallback,
    )
    return Restore(parts), RestoreFailureReporter(parts)


async def _unusable(_run: object, /) -> None:
    raise RuntimeError("restores need a database, a status queue and a recovery queue")


def decode(envelope: Envelope) -> RestoreRequest:
    """The request in the body; on this queue the attributes do not matter."""
    return wire.decode(envelope.body)


def needed_places(default: str | None, message: RestoreRequest) -> frozenset[tuple[str, str]]:
    """The places in S3 that a request needs."""
    bucket = message.bucket or default
    return frozenset() if bucket is None else frozenset({places.read(bucket), places.restore(bucket)})


def describe(message: RestoreRequest) -> Mapping[str, str]:
    """The facts of a request for its log line."""
    files = sum(len(granule.files) for granule in message.granules)
    job = {} if message.job_id is None else {"job_id": message.job_id}
    first = {"granule_id": message.granules[0].granule_id} if len(message.granules) == 1 else {}
    return {**job, **first, "granules": str(len(message.granules)), "files": str(files)}
