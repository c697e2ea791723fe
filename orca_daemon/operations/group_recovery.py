"""Recovers a group of failures: requests again the copies of the files that failed for one reason."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

from orca_daemon.aws.clients import connect
from orca_daemon.aws.s3copy.requests import Requests
from orca_daemon.aws.s3copy.window import Window
from orca_daemon.db import actions, failed_work
from orca_daemon.db.database import Database
from orca_daemon.db.failed_work import FailedFile, Position
from orca_daemon.engine.backoff import Backoff
from orca_daemon.operations.database import database
from orca_daemon.operations.dead_letters import Progress, no_progress
from orca_daemon.operations.destinations import Destinations
from orca_daemon.operations.failures import FailureGroup, folded_reason
from orca_daemon.operations.recorded import Recorded, Request, recorded
from orca_daemon.operations.recovery import (
    HEADS_AT_ONCE,
    CheckedFile,
    FileState,
    check_file,
    copy_request,
)
from orca_daemon.operations.sending import queue_url, sqs_client
from orca_daemon.producer.batch import send_batch
from orca_daemon.settings import Settings
from orca_daemon.settings.buckets import CopyRules

QUEUE = "recovery"
_PAGE = 1_000
_POSTED = 10
"""Files of one request to SQS; after each it is recorded how far the action is."""


@dataclass(frozen=True, slots=True)
class JobFile:
    """A failed file of a job, and the state of its object."""

    job_id: str
    checked: CheckedFile


@dataclass(slots=True, kw_only=True)
class GroupRecovery:
    """What the recovery of a group has done."""

    posted: int = 0
    """Files whose copies were requested."""
    not_ready: int = 0
    """Files that cannot be copied now, or whose requests the daemon would reject."""
    failed: int = 0
    """Files whose requests SQS did not accept."""
    error: str | None = None
    """Why the first of these was not accepted."""

    @property
    def files(self) -> int:
        """Files that were looked at."""
        return self.posted + self.not_ready + self.failed


async def plan_recovery(
    settings: Settings, group: FailureGroup, since: datetime, *, most: int
) -> list[JobFile]:
    """The first files that `recover_group` would look at, at most `most`, with the states of their objects.

    Raises:
        AddressError, DependencyDown, PostgresError: the database cannot be read.
        SettingsError: AWS is not set up.
        botocore.exceptions.BotoCoreError: S3 cannot be reached.
    """
    async with database(settings) as opened, connect(settings) as clients:
        before = await opened.transact(actions.now)
        check = _checker(settings, clients.s3)
        checked: list[JobFile] = []
        async for part in _failed(opened, group, since, before, Position(last_update=since)):
            checked += await check(part[: most - len(checked)])
            if len(checked) >= most:
                break
        return checked


async def recover_group(
    settings: Settings,
    group: FailureGroup,
    since: datetime,
    *,
    most: int,
    rate: float,
    request: Request,
    progress: Progress = no_progress,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> GroupRecovery:
    """Request the copies of at most `most` files of a group again, those that failed first before the others.

    After each ten it is recorded how far this is.  If it is cut short, the same id goes on behind these; the
    ten that were posted last may be requested a second time, and a second request copies nothing.  Files that
    fail again meanwhile are not requested again.

    Args:
        settings: of the database, of AWS, and of the buckets that may be copied.
        group: of failed files.
        since: as the group was read.
        most: files.
        rate: files a second, 0 for no limit.
        request: who asks, under which id.
        progress: called with the number of files that were looked at, and the number expected.
        sleep: waits; replaced in tests.

    Raises:
        UnknownQueueError: no URL is set for the queue of copy requests.
        AlreadyDoneError, UnderWayError, OtherActionError: see `recorded`.
        AddressError, DependencyDown, PostgresError, SettingsError, BotoCoreError: as for `plan_recovery`.
    """
    url = queue_url(settings, QUEUE)
    client = sqs_client(settings, url)
    about = {"reason_id": group.reason_id, "reason": group.reason, "most": most}
    total = min(most, group.count)
    async with (
        recorded(settings, request, "recover failures", about, total) as record,
        database(settings) as opened,
        connect(settings) as clients,
    ):
        check = _checker(settings, clients.s3)
        done, after = _resumed(record, since)
        async for part in _failed(opened, group, since, record.began, after):
            if left := most - done.files:
                chosen = part[:left]
                await asyncio.to_thread(_post, client, url, await check(chosen), done)
                record.done = done.posted
                await record.reached({**asdict(done), "after": _written(chosen[-1].position)})
                progress(done.files, total)
                await sleep(len(chosen) / rate if rate else 0)
            if done.files >= most or done.failed:
                break
        record.result = asdict(done)
        return done


def _post(client: Any, url: str, files: Sequence[JobFile], done: GroupRecovery) -> None:
    """Request the copies of the files that are ready, and count all."""
    ready = [each for each in files if each.checked.file_state is FileState.READY]
    done.not_ready += len(files) - len(ready)
    requests = (copy_request(each.checked.file, each.job_id) for each in ready)
    for sent in send_batch(requests, url, client=client):
        done.posted += sent.message_id is not None
        done.failed += sent.message_id is None
        done.error = done.error or sent.error


def _checker(settings: Settings, s3: Any) -> Callable[[Sequence[FailedFile]], Awaitable[list[JobFile]]]:
    requests = Requests(s3, window=Window.up_to(HEADS_AT_ONCE), tries=5, backoff=Backoff())
    destinations, rules = Destinations(requests), CopyRules.of(settings)

    async def one(failed: FailedFile) -> JobFile:
        job_id = failed.position.job_id
        return JobFile(job_id, await check_file(destinations, rules, failed.file, job_id))

    async def check(files: Sequence[FailedFile]) -> list[JobFile]:
        return list(await asyncio.gather(*map(one, files)))

    return check


async def _failed(
    database: Database, group: FailureGroup, since: datetime, before: datetime, after: Position
) -> AsyncIterator[list[FailedFile]]:
    """The files of a group in the order of failure, ten at a time."""
    read = partial(failed_work.failed_files, since=since, before=before, limit=_PAGE)
    while page := await database.transact(read, after=after):
        after = page[-1].position
        matching = [each for each in page if folded_reason(each.file.error_message) == group.reason]
        for start in range(0, len(matching), _POSTED):
            yield matching[start : start + _POSTED]


def _resumed(record: Recorded, since: datetime) -> tuple[GroupRecovery, Position]:
    """How far an earlier process got."""
    if not record.position:
        return GroupRecovery(), Position(last_update=since)
    counts = dict(record.position)
    place = counts.pop("after")
    return GroupRecovery(**counts), Position(
        **{**place, "last_update": datetime.fromisoformat(place["last_update"])}
    )


def _written(position: Position) -> dict[str, str]:
    return {**asdict(position), "last_update": position.last_update.isoformat()}
