"""Handles one restore request: looks at every object, plans, posts the new jobs, and asks S3."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from orca_daemon.aws.restore import (
    NoCapacityError,
    RestoreAnswer,
    expected_expiry,
    expiry,
    has_no_days,
    restore_object,
)
from orca_daemon.aws.s3copy import S3Object
from orca_daemon.db import restores
from orca_daemon.db.restores import DayFullError, PlannedJob, RestoreRow, RestoreStep
from orca_daemon.engine.errors import NotYet
from orca_daemon.engine.message import Delivery
from orca_daemon.queues.recovery.handler import verdict
from orca_daemon.queues.restore import outcomes, plan
from orca_daemon.queues.restore.attempt import AT_ONCE, Attempt, Parts, at_most, recorded
from orca_daemon.queues.restore.jobs import digest_of, job_of
from orca_daemon.queues.restore.look import look
from orca_daemon.wire.restore import RestoreGranule, RestoreRequest, Tier

_BUSY = 3
"""Refusals in a row for lack of capacity after which S3 is asked nothing more in this attempt."""


class Restore:
    """Handles restore requests.

    Handling one twice asks nothing twice: what was asked is recorded, and S3 says itself what is under way.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, run: Sequence[Delivery[RestoreRequest]], /) -> None:
        """Handle the one request of a run."""
        [delivery] = run
        request, parts = delivery.message, self._parts
        parts.rules.check(request)
        job = await job_of(parts.database, request, delivery.envelope)
        delivery.facts["job_id"] = job
        attempt = Attempt(
            request=request,
            job=job,
            archive=parts.rules.archive(request),
            tier=request.tier or parts.rules.tier,
            days=request.days or parts.rules.days,
            logged=time.monotonic(),
        )
        if request.task_token and parts.answers:
            await parts.answers.waiting(request.task_token)
        try:
            await self._work(attempt, delivery)
        finally:
            counted = outcomes.counted([row for row in attempt.rows.values() if row.done])
            delivery.facts.update({f"files_{step.value}": str(count) for step, count in counted.items()})
        if request.task_token and parts.answers:
            await self._answer(attempt, request.task_token)

    async def _work(self, attempt: Attempt, delivery: Delivery[RestoreRequest]) -> None:
        failures = await self._plan(attempt, delivery)
        granules = [granule for granule in attempt.request.granules if self._is_planned(attempt, granule)]
        results = await at_most(AT_ONCE, partial(self._granule, attempt), granules)
        failures += [result for result in results if isinstance(result, BaseException)]
        if failures:
            raise verdict(failures)

    # Plan.

    async def _plan(self, attempt: Attempt, delivery: Delivery[RestoreRequest]) -> list[BaseException]:
        """Record what is to be done.  Returns why some objects are not described; they wait."""
        parts, request = self._parts, attempt.request
        now = parts.clock()
        attempt.rows = await recorded(parts.database, attempt.job, request)
        attempt.known = frozenset(attempt.rows)
        attempt.reopened = frozenset(name for name, row in attempt.rows.items() if plan.given_up(row))
        left = plan.left_of(request, attempt.rows)
        found, failures = await look(parts, attempt, left, waited=delivery.held_seconds > parts.head_patience)
        planned = []
        for granule, file in left:
            name = plan.name_of(granule, file)
            if name not in found:
                continue
            if name in attempt.rows:
                attempt.rows[name] = plan.redecided(attempt.rows[name], found[name], now)
            else:
                planned.append(plan.row(granule, file, found[name], attempt.archive, attempt.tier, now))
        parts.rules.check_bytes(plan.asked_bytes([*attempt.rows.values(), *planned]))
        again = {name: attempt.rows[name] for name in found if name in attempt.rows}
        job = PlannedJob(job=attempt.job, request=digest_of(delivery.envelope), rows=planned)
        try:
            attempt.rows |= await parts.database.transact(restores.plan, job, now, parts.rules.bytes_per_day)
        except DayFullError as error:
            raise parts.rules.day_refusal(error.left) from None
        attempt.rows |= again
        return failures

    @staticmethod
    def _is_planned(attempt: Attempt, granule: RestoreGranule) -> bool:
        """Whether everything is known of its files, and something is left to do."""
        rows = [attempt.rows.get(plan.name_of(granule, file)) for file in granule.files]
        known = [
            row
            for row in rows
            if row and (row.done or row.step is RestoreStep.FAIL or row.name in attempt.heads)
        ]
        return len(known) == len(rows) and not (rows and all(row.done for row in known))

    # Post and ask.

    async def _granule(self, attempt: Attempt, granule: RestoreGranule) -> None:
        """Post the granule's job, then take the step of each file, and record it."""
        parts = self._parts
        files = outcomes.of_granule(attempt.request, granule, attempt.rows)
        rows = [attempt.rows[plan.name_of(granule, file)] for file in granule.files]
        requested = min((row.requested_at for row in rows), default=None) or parts.clock()
        await parts.posts.job(attempt.job, granule, attempt.archive, requested, files)
        left = [row for row in rows if not row.done]
        results = await at_most(AT_ONCE, partial(self._file, attempt), left)
        ended = [result for result in results if isinstance(result, RestoreRow)]
        if ended:
            await parts.database.transact(restores.end, attempt.job, ended)
        for row in ended:
            attempt.ended(row)
            parts.metrics.ended(row.step.value)
        attempt.progress()
        if failures := [result for result in results if isinstance(result, BaseException)]:
            raise verdict(failures)

    async def _file(self, attempt: Attempt, row: RestoreRow) -> RestoreRow:
        """Take the step of one file; returns the row that says what was done."""
        posts, now = self._parts.posts, self._parts.clock()
        if row.step is RestoreStep.FAIL:
            if row.name in attempt.known:
                await posts.failed(attempt.job, row, row.error or "", now)
            return replace(row, done_at=now)
        if row.name in attempt.reopened:
            await posts.pending(attempt.job, row, now)
        if row.step in {RestoreStep.ASK, RestoreStep.EXTEND}:
            row = await self._ask(attempt, row)
        if row.step is RestoreStep.FAIL:
            await posts.failed(attempt.job, row, row.error or "", now)
            return replace(row, done_at=now)
        if row.step in {RestoreStep.COPY, RestoreStep.EXTEND}:
            await posts.readable(row)
            head = attempt.heads[row.name]
            row = replace(row, expires_at=row.expires_at or expiry(head))
        return replace(row, done_at=now, error=None)

    async def _ask(self, attempt: Attempt, row: RestoreRow) -> RestoreRow:
        """Ask S3; returns the row by what it answered."""
        head = attempt.heads[row.name]
        days = None if has_no_days(head) else attempt.days
        answer, tier = await self._asked(attempt, S3Object(row.archive, row.key), row.tier, days)
        now = self._parts.clock()
        ends = None if days is None else expected_expiry(now, days)
        row = replace(row, tier=tier)
        match answer:
            case RestoreAnswer.BEGUN:
                return replace(row, step=RestoreStep.ASK, expires_at=ends)
            case RestoreAnswer.UNDER_WAY:
                return replace(row, step=RestoreStep.WAIT)
            case RestoreAnswer.RESTORED:
                step = RestoreStep.EXTEND if row.step is RestoreStep.EXTEND else RestoreStep.COPY
                return replace(row, step=step, expires_at=ends)
            case RestoreAnswer.NOT_ARCHIVED:
                return replace(row, step=RestoreStep.COPY)
            case RestoreAnswer.MISSING:
                error = f"'{row.key}' does not exist in '{row.archive}' bucket any more"
                return replace(row, step=RestoreStep.FAIL, error=error)

    async def _asked(
        self, attempt: Attempt, source: S3Object, tier: Tier, days: int | None
    ) -> tuple[RestoreAnswer, Tier]:
        """Ask, and once more for Standard if there is no capacity for Expedited and a setting allows that."""
        if attempt.busy >= _BUSY:
            raise NotYet("S3 has no capacity, or asks to slow down")
        await self._parts.pace.wait()
        try:
            answer = await restore_object(self._parts.asks, source, tier, days)
        except NoCapacityError:
            if not self._parts.expedited_fallback:
                attempt.busy += 1
                raise
            await self._parts.pace.wait()
            return await restore_object(self._parts.asks, source, Tier.STANDARD, days), Tier.STANDARD
        except NotYet:
            attempt.busy += 1
            raise
        attempt.busy = 0
        return answer, tier

    # Tell.

    async def _answer(self, attempt: Attempt, token: str) -> None:
        answers = self._parts.answers
        assert answers  # noqa: S101  for mypy: the caller has checked it
        outcome = outcomes.of_request(attempt.request, attempt.job, attempt.rows)
        if outcome.nothing_asked:
            await answers.failed(token, "RestoreFailed", "; ".join(outcome.reasons) or "there are no files")
        else:
            await answers.succeeded(token, outcome)
