"""Tells Step Functions how a task went whose execution waits with a token.

A token is a credential: whoever has it can end the task.  It is in no text that this module makes.
"""

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Any

import structlog

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.errors import Meaning, code_of, meaning_of, reason_of
from orca_daemon.engine import places
from orca_daemon.engine.errors import DependencyDown, NotYet

STATES = "states"
"""Name of the dependency; its places are the calls."""
LARGEST_OUTPUT = 262_144
"""Bytes of UTF-8 in an output (AWS: SendTaskSuccess)."""
LONGEST_ERROR = 256
LONGEST_CAUSE = 32_768
"""Characters of the error and the cause of a failure (AWS: SendTaskFailure)."""
_INVALID_OUTPUT = "InvalidOutput"
_log: Any = structlog.get_logger()


class TaskAnswer(StrEnum):
    """What Step Functions answered."""

    ACCEPTED = "accepted"
    GONE = "gone"
    """No task waits with this token any more: it timed out, has ended, or never was."""
    REFUSED = "refused"
    """The request itself is wrong, and would be refused again."""


class StepFunctions:
    """Sends the success, the failure or a heartbeat of a task.

    All three raise `NotYet` if Step Functions cannot be reached now or asks to slow down, and
    `DependencyDown` if it denies access.  Answers that no retry can change are logged and returned.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    async def succeeded(self, token: str, outputs: Sequence[str]) -> TaskAnswer:
        """End the task with the first of these outputs, each a JSON text, that Step Functions accepts."""
        answer, code = TaskAnswer.REFUSED, ""
        for output in outputs:
            answer, code = await self._call(self._client.send_task_success, taskToken=token, output=output)
            if code != _INVALID_OUTPUT:
                break
        return self._logged("success", answer, code)

    async def failed(self, token: str, error: str, cause: str) -> TaskAnswer:
        """Fail the task; `error` is a name that a Catch of the state machine may name, `cause` a sentence."""
        answer, code = await self._call(
            self._client.send_task_failure,
            taskToken=token,
            error=error[:LONGEST_ERROR],
            cause=cause[:LONGEST_CAUSE],
        )
        return self._logged("failure", answer, code)

    async def heartbeat(self, token: str) -> TaskAnswer:
        """Report that the task is being worked on, which restarts the clock of its HeartbeatSeconds."""
        answer, code = await self._call(self._client.send_task_heartbeat, taskToken=token)
        return self._logged("heartbeat", answer, code)

    async def _call(self, call: Callable[..., Awaitable[object]], **request: str) -> tuple[TaskAnswer, str]:
        """The answer, and the code of the error if it is one."""
        place = call.__name__
        try:
            await call(**request)
        except CALL_ERRORS as error:
            meaning = meaning_of(error)
            if meaning is Meaning.DENIED:
                raise DependencyDown(STATES, reason_of(error), place=place) from error
            if meaning.passes:
                raise NotYet(f"Step Functions cannot be told: {reason_of(error)}") from error
            answer = TaskAnswer.GONE if meaning is Meaning.MISSING else TaskAnswer.REFUSED
            code = code_of(error)
        else:
            answer, code = TaskAnswer.ACCEPTED, ""
        places.succeeded(STATES, place)
        return answer, code

    def _logged(self, what: str, answer: TaskAnswer, code: str) -> TaskAnswer:
        if answer is not TaskAnswer.ACCEPTED:
            _log.warning("task.not_told", told=what, answer=answer.value, code=code)
        return answer
