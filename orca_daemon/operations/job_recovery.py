"""Recovers files of one job as an action: recorded before the first request, resumed if it is cut short."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from orca_daemon.db.jobs import File
from orca_daemon.operations.dead_letters import Progress, no_progress
from orca_daemon.operations.recorded import Request, recorded
from orca_daemon.operations.recovery import copy_request
from orca_daemon.operations.sending import sqs_client
from orca_daemon.producer.batch import Sent, send_batch
from orca_daemon.settings import Settings
from orca_daemon.wire.outgoing import Outgoing

_POSTED = 10
"""Files of one request to SQS; after each it is recorded how far the action is."""


async def recover_files(
    settings: Settings,
    job_id: str,
    files: Sequence[File],
    queue_url: str,
    *,
    request: Request,
    about: Mapping[str, Any] | None = None,
    progress: Progress = no_progress,
) -> dict[File, Sent]:
    """Post a copy request for each file, and return what SQS answered.

    If it is cut short, the same id goes on behind the files that were requested.  The ten that were posted
    last may be requested a second time, and a second request copies nothing.

    Args:
        settings: of AWS, and of the database where the action is recorded.
        job_id: the whole id of the job.
        files: whose objects can be copied.
        queue_url: of the queue of copy requests.
        request: who asks, under which id.
        about: what else is recorded: the options.
        progress: called with the number of files requested so far, and the number of all.

    Raises:
        AlreadyDoneError, UnderWayError, OtherActionError: see `recorded`.
        SettingsError: AWS is not set up.
    """
    results: dict[File, Sent] = {}
    client = sqs_client(settings, queue_url)
    what = {"job_id": job_id, **(about or {})}
    async with recorded(settings, request, "recover", what, len(files)) as record:
        after = tuple((record.position or {}).get("after", ()))
        left = sorted((file for file in files if _place(file) > after), key=_place)
        for start in range(0, len(left), _POSTED):
            chunk = left[start : start + _POSTED]
            messages = [copy_request(file, job_id) for file in chunk]
            sent = await asyncio.to_thread(_post, messages, queue_url, client)
            results.update(zip(chunk, sent, strict=True))
            record.done += sum(result.message_id is not None for result in sent)
            if all(result.message_id for result in sent):
                await record.reached({"after": _place(chunk[-1])})
            progress(len(results), len(left))
        failed = sum(result.message_id is None for result in results.values())
        record.result = {"posted": record.done, "failed": failed}
    return results


def _post(messages: Sequence[Outgoing], queue_url: str, client: Any) -> list[Sent]:
    return list(send_batch(messages, queue_url, client=client))


def _place(file: File) -> tuple[str, str, str]:
    return file.collection_id, file.granule_id, file.filename
