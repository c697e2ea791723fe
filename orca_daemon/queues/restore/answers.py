"""How the requester of a restore is told what became of it: by a task token of Step Functions."""

from typing import Protocol

from orca_daemon.wire.restore_outcome import RestoreOutcome


class Answers(Protocol):
    """Answers the Step Functions task that a request's `taskToken` names.

    A task that is over already, or a token that is not valid, is logged and is no error.  While Step
    Functions cannot be reached, answers raise `NotYet` or `DependencyDown`, and the message waits.
    """

    async def waiting(self, token: str) -> None:
        """An attempt begins: send heartbeats from now on, until the answer.  Raises nothing."""

    async def succeeded(self, token: str, outcome: RestoreOutcome) -> None:
        """Something was asked for, or nothing had to be: the answer is `restore_outcome.output(outcome)`."""

    async def failed(self, token: str, error: str, cause: str) -> None:
        """Nothing could be asked for.

        Args:
            token: names the task.
            error: a name that a state machine can match, such as `RestoreRefused` or `RestoreFailed`.
            cause: a sentence.
        """
