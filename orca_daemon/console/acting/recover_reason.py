"""Requests the copies of all files again that failed for one reason."""

from orca_daemon.console.acting.action import Action, Outcome, Preview, Progress
from orca_daemon.console.acting.reasons import MOST, RATE, WARNING, OfReason, facts, group_of
from orca_daemon.console.context import ConsoleContext
from orca_daemon.console.show import plural
from orca_daemon.operations.group_recovery import QUEUE, recover_group
from orca_daemon.operations.recorded import Request
from orca_daemon.operations.sending import queue_url


async def _preview(console: ConsoleContext, fields: OfReason) -> Preview:
    queue_url(console.settings, QUEUE)
    group, _ = await group_of(console, fields)
    if not group.can_recover:
        raise ValueError("These are not files of recoveries.")
    return Preview(
        sentence=f"Look at {plural(group.count, 'object')}, and request a copy of each that can be read.",
        count=group.count,
        about=True,
        facts=facts(group, f"{RATE:.0f} files a second"),
        warning=WARNING,
    )


async def _perform(
    console: ConsoleContext, fields: OfReason, progress: Progress, request: Request
) -> Outcome:
    group, since = await group_of(console, fields, request.id)
    done = await recover_group(
        console.settings, group, since, most=MOST, rate=RATE, request=request, progress=progress
    )
    result = {
        "copies requested": done.posted,
        "objects that cannot be copied now": done.not_ready,
        "not requested": done.failed,
    }
    return Outcome(done=done.posted, result=result, error=done.error)


ACTION = Action(
    name="recover_reason",
    title="Recover the files of a reason",
    fields=OfReason,
    preview=_preview,
    perform=_perform,
    records=True,
)
