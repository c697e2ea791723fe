"""Handles one restore request: looks at every object, plans, posts the new jobs, and asks S3."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog

from orca_daemon.aws.restore import (
    NoCapacityError,
    RestoreAnswer,
    RestoreError,
    expected_expiry,
    expiry,
    has_no_days,
    restore_object,
)
from orca_daemon.aws.s3copy import ObjectHead, ObjectMissingError, S3Object, head_object
from orca_daemon.aws.s3copy.requests import Requests, S3RequestError, failed_at_place
from orca_daemon.db import restores
from orca_daemon.db.database import Database
from orca_daemon.db.restores import DayFullError, FileName, PlannedJob, RestoreRow, RestoreStep
from orca_daemon.engine.errors import NotYet, Refused
from orca_daemon.engine.message import Delivery
from orca_daemon.ops.metrics.restores import RestoreMetrics
from orca_daemon.queues.recovery.handler import verdict
from orca_daemon.queues.restore import outcomes, plan
from orca_daemon.queues.restore.answers import Answers
from orca_daemon.queues.restore.jobs import digest_of, job_of
from orca_daemon.queues.restore.pace import Pace
from orca_daemon.queues.restore.plan import Denied, Found
from orca_daemon.queues.restore.posts import Posts
from orca_daemon.queues.restore.rules import RestoreRules
from orca_daemon.wire.restore import RestoreFile, RestoreGranule, RestoreRequest, Tier

T = TypeVar("T")
PROGRESS_EVERY = 30.0
"""Seconds between two log lines about one request."""
HEAD_PATIENCE = 60.0
"""Seconds after which an object that S3 does not describe no longer keeps the others waiting."""
_AT_ONCE = 16
"""Granules, and objects without a granule's order, worked at one time."""
_BUSY = 3
"""Refusals in a row for lack of capacity after which S3 is asked nothing more in this attempt."""
_log: Any = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the handler works with."""

    heads: Requests
    asks: Requests
    """Without retries of its own: the message is tried again."""
    database: Database
    posts: Posts
    rules: RestoreRules
    pace: Pace
    metrics: RestoreMetrics
    answers: Answers | None = None
    expedited_fallback: bool = False
    """`restore.expedited_fallback`."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    head_patience: float = HEAD_PATIENCE


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One attempt at one request."""

    request: RestoreRequest
    job: str
    archive: str
    tier: Tier
    days: int
    rows: dict[FileName, RestoreRow] = field(default_factory=dict)
    """Everything recorded of the job."""
    known: frozenset[FileName] = frozenset()
    """The files that were recorded before this attempt, whose jobs may have been posted."""
    reopened: frozenset[FileName] = frozenset()
    """The files that were reported as failed when the message was given up; it has been sent again."""
    heads: dict[FileName, ObjectHead] = field(default_factory=dict)
    busy: int = 0
    """Refusals for lack of capacity, in a row."""
    logged: float = 0.0
    done: int = 0

    def ended(self, row: RestoreRow) -> None:
        """A step was taken."""
        self.rows[row.name] = row
        self.done += 1


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
        results = await at_most(_AT_ONCE, (self._granule(attempt, granule) for granule in granules))
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
        found, failures = await self._look(attempt, left, waited=delivery.held_seconds > parts.head_patience)
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

    async def _look(
        self, attempt: Attempt, files: Sequence[tuple[RestoreGranule, RestoreFile]], *, waited: bool
    ) -> tuple[dict[FileName, Found], list[BaseException]]:
        """What S3 says of each object, and the failures of those that it does not describe now.

        Raises:
            NotYet, DependencyDown, Refused: objects are not described, and the limits need them all; after
                `head_patience` the others go on.
        """
        results = await at_most(
            2 * _AT_ONCE, (self._head(S3Object(attempt.archive, file.key)) for _, file in files)
        )
        found: dict[FileName, Found] = {}
        denied: list[tuple[FileName, Refused]] = []
        failures: list[BaseException] = []
        for (granule, file), result in zip(files, results, strict=True):
            name = plan.name_of(granule, file)
            match result:
                case Refused():
                    denied.append((name, result))
                case BaseException():
                    failures.append(result)
                case _:
                    found[name] = result
                    if result is not None:
                        attempt.heads[name] = result
        if denied and not found:
            failures += [error for _, error in denied]
        else:
            # Others can be read, so the place works: these may not be read, or do not exist.
            found |= {name: Denied(error.reason) for name, error in denied}
        if failures and not (waited and found):
            raise verdict(failures)
        return found, failures

    async def _head(self, source: S3Object) -> ObjectHead | None:
        try:
            return await head_object(self._parts.heads, source)
        except ObjectMissingError:
            return None
        except S3RequestError as failure:
            error = failed_at_place(failure)
            if error is failure:
                raise RestoreError(f"S3 does not describe {source}: {failure.code}") from failure
            raise error from failure

    @staticmethod
    def _is_planned(attempt: Attempt, granule: RestoreGranule) -> bool:
        """Whether everything is known of its files, and something is left to do."""
        rows = [attempt.rows.get(plan.name_of(granule, file)) for file in granule.files]
        return None not in rows and not (rows and all(row and row.done for row in rows))

    # Post and ask.

    async def _granule(self, attempt: Attempt, granule: RestoreGranule) -> None:
        """Post the granule's job, then take the step of each file, and record it."""
        parts = self._parts
        files = outcomes.of_granule(attempt.request, granule, attempt.rows)
        rows = [attempt.rows[plan.name_of(granule, file)] for file in granule.files]
        requested = min((row.requested_at for row in rows), default=None) or parts.clock()
        await parts.posts.job(attempt.job, granule, attempt.archive, requested, files)
        left = [row for row in rows if not row.done]
        results = await at_most(_AT_ONCE, (self._file(attempt, row) for row in left))
        ended = [result for result in results if isinstance(result, RestoreRow)]
        if ended:
            await parts.database.transact(restores.end, attempt.job, ended)
        for row in ended:
            attempt.ended(row)
            parts.metrics.ended(row.step.value)
        self._progress(attempt)
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

    def _progress(self, attempt: Attempt) -> None:
        now = time.monotonic()
        if now - attempt.logged < PROGRESS_EVERY:
            return
        attempt.logged = now
        left = sum(not row.done for row in attempt.rows.values())
        _log.info("restore.progress", job_id=attempt.job, files_done=attempt.done, files_left=left)


async def recorded(database: Database, job: str, request: RestoreRequest) -> dict[FileName, RestoreRow]:
    """What is recorded of the files of a request.  Other messages may have other files of the same job."""
    granules = [granule.granule_id for granule in request.granules]
    rows = await database.transact(restores.of_job, job, granules)
    names = (plan.name_of(granule, file) for granule, file in request.files)
    return {name: rows[name] for name in names if name in rows}


async def at_most(limit: int, work: Iterable[Awaitable[T]]) -> list[T | BaseException]:
    """The results and exceptions of all of them, in order, with so many under way at a time."""
    permits = asyncio.Semaphore(limit)

    async def one(each: Awaitable[T]) -> T:
        async with permits:
            return await each

    return await asyncio.gather(*(one(each) for each in work), return_exceptions=True)
