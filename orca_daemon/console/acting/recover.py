"""Requests the copies of a job's files again: of open files, and of failed ones if that is wanted."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from orca_daemon.console.acting.action import Action, Fields, Outcome, Preview, Progress
from orca_daemon.console.context import ConsoleContext
from orca_daemon.console.show import link, plural
from orca_daemon.db import jobs
from orca_daemon.db.jobs import OPEN, File
from orca_daemon.operations.advice import Advice, advice
from orca_daemon.operations.errors import NotFoundError
from orca_daemon.operations.recorded import Request
from orca_daemon.operations.recovery import CheckedFile, FileState, check_open_files, post_copy_requests
from orca_daemon.operations.sending import queue_url
from orca_daemon.wire.status import RecoveryStatus

QUEUE = "recovery"
_LOOKED_AT = 200
"""Files whose objects the preview reads."""


class Recover(Fields):
    """Which files."""

    job: str
    granule: str = ""
    """Only of this granule; empty means all."""
    file: str = ""
    """Only files of this name; empty means all."""
    failed: bool = False
    """Include the files that failed."""


async def _preview(console: ConsoleContext, fields: Recover) -> Preview:
    queue_url(console.settings, QUEUE)
    files = await console.reader.read(
        jobs.files,
        fields.job,
        granule=fields.granule or None,
        filename=fields.file or None,
        statuses=_statuses(fields),
    )
    narrower = [("Granule", fields.granule), ("File", fields.file)]
    facts = [("Recovery", fields.job), *[(name, chosen) for name, chosen in narrower if chosen]]
    facts += [
        ("Files", f"{plural(len(files), 'file')}, {'with' if fields.failed else 'without'} those that failed")
    ]
    if len(files) > _LOOKED_AT:
        sentence = f"Look at {plural(len(files), 'object')}, and request a copy of each that can be read."
        back = link("/recoveries/job", {"id": fields.job})
        return Preview(sentence=sentence, count=len(files), about=True, facts=facts, back=back)
    checked = await _checked(console, fields, lambda _done, _wanted: None)
    ready = [each for each in checked if each.file_state is FileState.READY]
    states = Counter(each.file_state for each in checked)
    facts += [(state.value, plural(count, "object")) for state, count in states.items()]
    return Preview(
        sentence=f"Request the copies of {plural(len(ready), 'file')}."
        if ready
        else "There is nothing that can be copied now.",
        count=len(ready),
        facts=facts,
        advice=advice(fields.job, checked) if checked else [_nothing_open(fields)],
        possible=bool(ready),
        back=link("/recoveries/job", {"id": fields.job}),
    )


def _nothing_open(fields: Recover) -> Advice:
    if fields.failed:
        return Advice("No file of these is pending, staged or failed: each has been copied.")
    return Advice(
        "No file of these is pending or staged. Failed files are recovered by a button of their own."
    )


async def _perform(
    console: ConsoleContext, fields: Recover, progress: Progress, _request: Request
) -> Outcome:
    checked = await _checked(console, fields, progress)
    ready = [each.file for each in checked if each.file_state is FileState.READY]
    posted, errors = await post(console, fields.job, ready)
    left = Counter(each.file_state.value for each in checked if each.file_state is not FileState.READY)
    result = {"copies requested": posted, **{state: plural(count, "object") for state, count in left.items()}}
    return Outcome(done=posted, result=result, error="; ".join(errors) or None)


async def post(console: ConsoleContext, job: str, files: Sequence[File]) -> tuple[int, list[str]]:
    """Post a copy request for each file; returns how many were posted, and why others were not."""
    if not files:
        return 0, []
    url = queue_url(console.settings, QUEUE)
    sent = await asyncio.to_thread(lambda: list(post_copy_requests(console.settings, job, files, url)))
    errors = sorted({each.error or "not sent" for each in sent if each.message_id is None})
    return sum(each.message_id is not None for each in sent), errors


async def _checked(console: ConsoleContext, fields: Recover, progress: Progress) -> list[CheckedFile]:
    try:
        found = await check_open_files(
            console.settings,
            fields.job,
            granule=fields.granule or None,
            filename=fields.file or None,
            failed=fields.failed,
            progress=progress,
        )
    except NotFoundError as error:
        raise ValueError(f"{error}.") from None
    return found.files


def _statuses(fields: Recover) -> tuple[RecoveryStatus, ...]:
    return (*OPEN, RecoveryStatus.FAILED) if fields.failed else OPEN


ACTION = Action(name="recover", title="Recover again", fields=Recover, preview=_preview, perform=_perform)
