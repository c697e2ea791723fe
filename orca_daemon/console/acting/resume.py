"""Resumes one queue, or all, for every daemon of the database."""

from datetime import datetime

from orca_daemon.console.acting.action import Action, Fields, Outcome, Preview, Progress
from orca_daemon.console.acting.pause import queues_of
from orca_daemon.console.context import ConsoleContext
from orca_daemon.console.show import absolute
from orca_daemon.db import actions, control
from orca_daemon.db.control import Pause
from orca_daemon.operations.recorded import Request


class Resume(Fields):
    """Which queue."""

    queue: str


async def _preview(console: ConsoleContext, fields: Resume) -> Preview:
    queues = queues_of(console, fields.queue)
    paused = await console.reader.read(control.paused)
    now = await console.reader.read(actions.now)
    left = [queue for queue in queues if queue in paused]
    return Preview(
        sentence=f"Resume {', '.join(left)}: the daemons receive from it again."
        if left
        else "Nothing would change.",
        count=len(left),
        facts=[(queue, _cause(paused[queue], now)) for queue in left],
        warning="A daemon that was paused by its settings or by a signal stays paused.",
        possible=bool(left),
    )


def _cause(pause: Pause, now: datetime) -> str:
    return f"paused by {pause.who}, {absolute(pause.since, now)}: {pause.why or 'no reason given'}"


async def _perform(console: ConsoleContext, fields: Resume, progress: Progress, request: Request) -> Outcome:
    queues = queues_of(console, fields.queue)
    progress(0, len(queues))
    changed = await console.database.transact(control.resume, queues, request.who)
    return Outcome(done=len(changed), result={"resumed": ", ".join(changed) or "none: it was not paused"})


ACTION = Action(name="resume", title="Resume", fields=Resume, preview=_preview, perform=_perform)
