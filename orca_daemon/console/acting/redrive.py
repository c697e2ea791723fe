"""Sends dead letters of one queue back to their queue."""

from typing import Annotated

from pydantic import Field

from orca_daemon.aws.dead_letter_filter import DeadLetterFilter
from orca_daemon.aws.dead_letter_queue import DeadLetterQueue
from orca_daemon.console.acting.action import Action, Fields, Outcome, Preview, Progress
from orca_daemon.console.context import ConsoleContext
from orca_daemon.operations import dead_letters
from orca_daemon.operations.advice import Advice
from orca_daemon.operations.recorded import Request

_MOST = 1_000_000


class Redrive(Fields):
    """Which dead letters."""

    queue: str
    reason: str = ""
    """Part of the reason; empty means any."""
    letter_id: str = ""
    """Id of one dead letter, or of its original message; empty means all."""
    rate: Annotated[float, Field(ge=0, le=1000)] = 50.0
    """Messages per second; 0 for no limit."""

    @property
    def filter(self) -> DeadLetterFilter:
        """The same as a filter."""
        return DeadLetterFilter(reason=self.reason, ids=frozenset({self.letter_id} if self.letter_id else ()))


async def _preview(console: ConsoleContext, fields: Redrive) -> Preview:
    bound = console.settings.bound
    if fields.queue not in bound:
        raise ValueError("No queue has this name.")
    letters = await DeadLetterQueue.of(console.clients, bound[fields.queue].url or "")
    count = await letters.count()
    some = bool(fields.reason or fields.letter_id)
    which = "those that match, of about" if some else "about"
    facts = [
        ("Queue", fields.queue),
        ("Messages per second", f"{fields.rate:g}" if fields.rate else "no limit"),
    ]
    facts += [("Reason contains", fields.reason)] if fields.reason else []
    facts += [("Message", fields.letter_id)] if fields.letter_id else []
    return Preview(
        sentence=f"Send {which} {count:,} dead letters of {fields.queue} back to their queue.",
        count=None if some else count,
        about=True,
        facts=facts,
        advice=[] if count else [Advice(f"The dead-letter queue of {fields.queue} is empty.")],
        possible=count > 0,
    )


async def _perform(console: ConsoleContext, fields: Redrive, progress: Progress, request: Request) -> Outcome:
    done = await dead_letters.redrive(
        console.settings,
        fields.queue,
        fields.filter,
        most=1 if fields.letter_id else _MOST,
        rate=fields.rate,
        progress=progress,
        request=request,
        about=fields.model_dump(mode="json", exclude={"queue"}),
    )
    result = {"moved": done.moved, "failed": done.failed, "passed over": done.passed_over}
    return Outcome(done=done.moved, result=result, error="; ".join(sorted(done.reasons)) or None)


ACTION = Action(
    name="redrive",
    title="Send dead letters back",
    fields=Redrive,
    preview=_preview,
    perform=_perform,
    records=True,
)
