"""Sends all dead letters of one queue and one reason back to the queue."""

from orca_daemon.console.acting.action import Action, Outcome, Preview, Progress
from orca_daemon.console.acting.reasons import MOST, RATE, WARNING, OfReason, facts, group_of
from orca_daemon.console.context import ConsoleContext
from orca_daemon.console.show import plural
from orca_daemon.operations import dead_letters
from orca_daemon.operations.failures import letters_of
from orca_daemon.operations.recorded import Request


async def _preview(console: ConsoleContext, fields: OfReason) -> Preview:
    group, _ = await group_of(console, fields)
    if not group.can_redrive or group.queue not in console.settings.bound:
        raise ValueError("These are not dead letters of a queue in the settings.")
    return Preview(
        sentence=f"Send about {plural(group.count, 'dead letter')} of {group.queue} back to their queue.",
        count=group.count,
        about=True,
        facts=facts(group, f"{RATE:.0f} messages a second"),
        warning=WARNING,
    )


async def _perform(
    console: ConsoleContext, fields: OfReason, progress: Progress, request: Request
) -> Outcome:
    group, since = await group_of(console, fields, request.id)
    done = await dead_letters.redrive(
        console.settings,
        group.queue or "",
        letters_of(group, since),
        most=MOST,
        rate=RATE,
        progress=progress,
        request=request,
        about={"reason_id": group.reason_id, "reason": group.reason, "since": fields.since},
    )
    result = {"moved": done.moved, "failed": done.failed, "passed over": done.passed_over}
    return Outcome(done=done.moved, result=result, error="; ".join(sorted(done.reasons)) or None)


ACTION = Action(
    name="redrive_reason",
    title="Send the dead letters of a reason back",
    fields=OfReason,
    preview=_preview,
    perform=_perform,
    records=True,
)
