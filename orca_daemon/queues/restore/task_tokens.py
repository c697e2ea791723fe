"""Answers the Step Functions tasks that wait for restores, and sends their heartbeats meanwhile."""

import asyncio
import json
from collections.abc import Callable
from contextvars import Context
from typing import Any

import structlog

from orca_daemon.aws.step_functions import LARGEST_OUTPUT, StepFunctions, TaskAnswer
from orca_daemon.engine.errors import DependencyDown, NotYet
from orca_daemon.wire.restore_outcome import RestoreOutcome, output

LONGEST = 43_200.0
"""Seconds for which heartbeats go on without a new attempt: SQS ends every delivery after twelve hours."""
_log: Any = structlog.get_logger()


class TaskAnswers:
    """Answers tasks by their tokens; `Answers` says what each call does.

    The heartbeats of a task are sent from its first attempt until it is answered, so they go on between
    attempts and while S3 is down.  They end by themselves if nobody waits any more, or `LONGEST` after the
    last attempt.  A message that was given back to the queue keeps its heartbeats in this process until
    then: at worst the task fails at its TimeoutSeconds instead of its HeartbeatSeconds.

    Args:
        states: where the tasks wait.
        interval: seconds between two heartbeats.
    """

    def __init__(self, states: StepFunctions, interval: float) -> None:
        self._states, self._interval = states, interval
        self._heartbeats: dict[str, asyncio.Task[None]] = {}
        self._until: dict[str, float] = {}

    async def waiting(self, token: str) -> None:
        """Begin the heartbeats of a task, unless they are being sent; one that fails holds no work up."""
        now = asyncio.get_running_loop().time
        self._until[token] = now() + LONGEST
        if token not in self._heartbeats:
            # With a context of its own: what succeeds here is not work of the attempt that began it.
            task = asyncio.create_task(self._beat(token, now), name="heartbeats of a task", context=Context())
            self._heartbeats[token] = task
            task.add_done_callback(lambda _: self._ended(token))

    async def succeeded(self, token: str, outcome: RestoreOutcome) -> None:
        """End the task with the fullest output that fits."""
        await self._states.succeeded(token, outputs(outcome))
        self._stop(token)

    async def failed(self, token: str, error: str, cause: str) -> None:
        """Fail the task."""
        await self._states.failed(token, error, cause)
        self._stop(token)

    async def _beat(self, token: str, now: Callable[[], float]) -> None:
        while now() < self._until[token]:
            try:
                answer = await self._states.heartbeat(token)
            except (NotYet, DependencyDown) as error:
                _log.warning("task.heartbeat_failed", reason=str(error))
            else:
                if answer is not TaskAnswer.ACCEPTED:
                    return
            await asyncio.sleep(self._interval)

    def _ended(self, token: str) -> None:
        # Until the next attempt: then one more heartbeat tells whether somebody waits.
        self._heartbeats.pop(token, None)
        self._until.pop(token, None)

    def _stop(self, token: str) -> None:
        if (task := self._heartbeats.get(token)) is not None:
            task.cancel()


def outputs(outcome: RestoreOutcome) -> list[str]:
    """The outputs that may end a task, the fullest first, without those that are too large.

    The first is what `request_from_archive` returns (contract 13).  The next has no `recoverFiles`, and the
    last has the job alone.
    """
    documents = (
        output(outcome),
        output(outcome, files=False),
        {"asyncOperationId": outcome.job_id},
    )
    texts = [json.dumps(document) for document in documents]
    return [text for text in texts if len(text.encode()) <= LARGEST_OUTPUT]
