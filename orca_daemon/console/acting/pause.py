"""Pauses one queue, or all, for every daemon of the database."""

from collections.abc import Sequence

from orca_daemon.console.acting.action import Action, Fields, Outcome, Preview, Progress
from orca_daemon.console.context import ConsoleContext
from orca_daemon.db import control
from orca_daemon.operations.recorded import Request

ALL = "all"
"""The name that stands for every queue of the settings."""


class Pause(Fields):
    """Which queue, and why."""

    queue: str
    why: str = ""


def queues_of(console: ConsoleContext, name: str) -> Sequence[str]:
    """The queues that a name stands for.  Raises ValueError."""
    bound = sorted(console.settings.bound)
    if name == ALL:
        return bound
    if name not in bound:
        raise ValueError("No queue has this name.")
    return [name]


async def _preview(console: ConsoleContext, fields: Pause) -> Preview:
    queues = queues_of(console, fields.queue)
    paused = await console.reader.read(control.paused)
    left = [queue for queue in queues if queue not in paused]
    return Preview(
        sentence=f"Pause {', '.join(left)}: every daemon stops to receive from it."
        if left
        else "Nothing would change.",
        count=len(left),
        facts=[
            (
                "Takes effect",
                f"within {console.settings.engine.wait + 5:.0f} s; what was received is finished",
            ),
            (
                "Afterwards",
                "messages wait until somebody resumes the queue, or SQS deletes them as too old",
            ),
            *[("Paused already", queue) for queue in queues if queue in paused],
        ],
        possible=bool(left),
    )


async def _perform(console: ConsoleContext, fields: Pause, progress: Progress, request: Request) -> Outcome:
    queues = queues_of(console, fields.queue)
    progress(0, len(queues))
    changed = await console.database.transact(control.pause, queues, request.who, fields.why)
    return Outcome(done=len(changed), result={"paused": ", ".join(changed) or "none: it was paused already"})


ACTION = Action(name="pause", title="Pause", fields=Pause, preview=_preview, perform=_perform, ask=("why",))
