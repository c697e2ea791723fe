"""Reports a request that is given up: FAILED for what was not asked for, and an answer to its requester."""

from dataclasses import replace
from functools import partial

from orca_daemon.db import restores
from orca_daemon.db.restores import FileName, PlannedJob, RestoreRow, RestoreStep
from orca_daemon.engine.message import Envelope
from orca_daemon.queues.recovery.handler import verdict
from orca_daemon.queues.restore import outcomes, plan
from orca_daemon.queues.restore.attempt import AT_ONCE, Parts, at_most, recorded
from orca_daemon.queues.restore.jobs import digest_of, job_of
from orca_daemon.queues.restore.rules import PREFIX
from orca_daemon.wire import restore as wire
from orca_daemon.wire.restore import RestoreGranule, RestoreRequest

REFUSED, FAILED = "RestoreRefused", "RestoreFailed"
"""The names of errors that a state machine may match."""


class RestoreFailureReporter:
    """Reports requests that are given up.  What was asked for stays pending: it will come."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, message: RestoreRequest | None, envelope: Envelope, reason: str, /) -> None:
        """Report it; `reason` is for operators."""
        answers = self._parts.answers
        token = message.task_token if message else wire.task_token(envelope.body)
        if message is None:
            if token and answers:
                await answers.failed(token, REFUSED, reason)
            return
        job = await job_of(self._parts.database, message, envelope)
        rows = await recorded(self._parts.database, job, message)
        refused = reason.startswith(PREFIX) and not rows
        if not refused:
            rows = await self._fail(message, job, rows, envelope, reason)
        if not token or not answers:
            return
        outcome = None if refused else outcomes.of_request(message, job, rows)
        if outcome is None or outcome.nothing_asked:
            await answers.failed(token, REFUSED if refused else FAILED, reason)
        else:
            await answers.succeeded(token, outcome)

    async def _fail(
        self,
        request: RestoreRequest,
        job: str,
        rows: dict[FileName, RestoreRow],
        envelope: Envelope,
        reason: str,
    ) -> dict[FileName, RestoreRow]:
        """Post the failure of every file that is left, and record it; returns all rows."""
        after = dict(rows)
        for granule, file in plan.left_of(request, rows):
            name = plan.name_of(granule, file)
            if name not in rows or not plan.given_up(rows[name]):
                after[name] = self._failed_row(request, name, file.key, rows.get(name), reason)
        changed = {name for name, row in after.items() if row is not rows.get(name)}
        granules = [
            granule
            for granule in request.granules
            if not granule.files or any(plan.name_of(granule, file) in changed for file in granule.files)
        ]
        planned = PlannedJob(job=job, request=digest_of(envelope), rows=())
        results = await at_most(AT_ONCE, partial(self._post, request, planned, after, changed), granules)
        if failures := [result for result in results if isinstance(result, BaseException)]:
            raise verdict(failures)
        return after

    def _failed_row(
        self, request: RestoreRequest, name: FileName, key: str, before: RestoreRow | None, reason: str
    ) -> RestoreRow:
        if before is not None:
            # What failed by itself keeps its own reason.
            return before if before.step is RestoreStep.FAIL else replace(before, error=reason)
        rules = self._parts.rules
        return RestoreRow(
            name=name,
            archive=request.bucket or rules.bucket or "",
            key=key,
            size=0,
            step=RestoreStep.ASK,
            tier=request.tier or rules.tier,
            requested_at=self._parts.clock(),
            error=reason,
        )

    async def _post(
        self,
        request: RestoreRequest,
        planned: PlannedJob,
        rows: dict[FileName, RestoreRow],
        changed: set[FileName],
        granule: RestoreGranule,
    ) -> None:
        parts, job, now = self._parts, planned.job, self._parts.clock()
        mine = [rows[plan.name_of(granule, file)] for file in granule.files]
        requested = min((row.requested_at for row in mine), default=now)
        archive = request.bucket or parts.rules.bucket or ""
        files = outcomes.of_granule(request, granule, rows)
        await parts.posts.job(job, granule, archive, requested, files)
        failed = [
            row for row in mine if row.name in changed or (row.step is RestoreStep.FAIL and not row.done)
        ]
        for row in failed:
            await parts.posts.failed(job, row, row.error or "", now)
        if failed:
            ended = [replace(row, done_at=now) if row.step is RestoreStep.FAIL else row for row in failed]
            await parts.database.transact(restores.plan, replace(planned, rows=failed), now, None)
            await parts.database.transact(restores.end, job, ended)
