"""The pages `/dead-letters`: those of all queues, and one with its evidence, and its body on demand."""

import asyncio
import shlex
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from orca_daemon.aws.dead_letter import DeadLetter
from orca_daemon.aws.dead_letter_filter import DeadLetterFilter
from orca_daemon.aws.dead_letter_queue import DeadLetterQueue
from orca_daemon.console import cursors
from orca_daemon.console.context import Context
from orca_daemon.console.pages.letter_links import files_since, linked
from orca_daemon.console.queues import Queues
from orca_daemon.console.rendering import page
from orca_daemon.console.show import link
from orca_daemon.db.sql import load
from orca_daemon.engine.errors import SourceError

router = APIRouter()
_SQL = load(__package__, "dead_letters.sql")
_ROWS = 50
_STATES = (("", "waiting"), ("redriven", "sent back"), ("deleted", "deleted"), ("all", "all"))
_READING = 10.0
"""Seconds that the search for one letter in SQS may take."""
_LONGEST_BODY = 65_536
"""Characters of a body that are shown."""
_LAST = datetime(9999, 1, 1, tzinfo=UTC)


@router.get("/dead-letters", response_class=HTMLResponse, include_in_schema=False)
async def dead_letters(
    request: Request,
    context: Context,
    queue: Annotated[str, Query(max_length=128)] = "",
    q: Annotated[str, Query(max_length=1_024)] = "",
    state: Annotated[str, Query(max_length=16)] = "",
    after: Annotated[str, Query(max_length=8_000)] = "",
) -> HTMLResponse:
    """The list, and how many each queue has."""
    state = state if state in dict(_STATES) else ""
    q, queue = q.strip().replace("\x00", ""), queue.replace("\x00", "")
    problems: list[str] = []
    place = [_LAST, ""]
    if after:
        try:
            place = list(cursors.read(after, datetime, str))
        except cursors.CursorError as error:
            problems.append(str(error))
    values = {"time": place[0], "id": place[1], "queue": queue or None, "text": q or None, "state": state}
    counts, known, rows = await asyncio.gather(
        queues_of(request).counts(context),
        context.reader.rows(_SQL["of_queues"].text),
        context.reader.rows(_SQL["page"].text, {**values, "limit": _ROWS + 1}),
    )
    last = rows[_ROWS - 1] if len(rows) > _ROWS else None
    parameters = {"queue": queue, "q": q, "state": state}
    return page(
        request,
        "dead_letters.html",
        queues=[
            {"counts": each, "known": next((row for row in known if row.queue == each.name), None)}
            for each in counts
        ],
        letters=rows[:_ROWS],
        states=_STATES,
        parameters=parameters,
        problems=problems,
        filtered=any(parameters.values()),
        next=cursors.write(last.dead_lettered_at, last.id) if last else None,
        first=bool(after),
        address=link("/dead-letters", parameters, after=after),
    )


@router.get("/dead-letters/letter", response_class=HTMLResponse, include_in_schema=False)
async def letter(
    request: Request,
    context: Context,
    id: Annotated[str, Query(max_length=256)],  # noqa: A002  the name in the address
    queue: Annotated[str, Query(max_length=128)] = "",
    body: Annotated[str, Query(max_length=1)] = "",
) -> HTMLResponse:
    """One letter; with `body`, SQS is asked for it, which hides it from others for a moment."""
    rows = await context.reader.rows(_SQL["letter"].text, {"id": id}) if "\x00" not in id else []
    row = rows[0] if rows else None
    name = row.queue if row else queue
    if row is None and name not in context.settings.bound:
        return page(request, "missing.html", status=404, what="dead letter", name=id, back="/dead-letters")
    found, problem = await _fetched(context, name, id) if body else (None, "")
    text = found.envelope.body if found else ""
    facts = dict(row.facts or {}) if row else dict(found.evidence) if found else {}
    since = await files_since(context.reader, facts, row.dead_lettered_at) if row else None
    return page(
        request,
        "dead_letter.html",
        id=id,
        queue=name,
        letter=row,
        facts=[(name, fact, linked(name, fact)) for name, fact in sorted(facts.items())],
        since=since,
        delete=f"orca-daemon dlq delete {shlex.join([name, id])}",
        asked=bool(body),
        body=text[:_LONGEST_BODY],
        cut=len(text) - _LONGEST_BODY,
        attributes=sorted(found.envelope.attributes.items()) if found else [],
        found=found,
        problem=problem,
        address=link("/dead-letters/letter", {"id": id, "queue": queue}),
    )


def queues_of(request: Request) -> Queues:
    """The counts that all pages share."""
    state = request.app.state
    if not hasattr(state, "queues"):
        state.queues = Queues()
    queues: Queues = state.queues
    return queues


async def _fetched(context: Context, queue: str, letter_id: str) -> tuple[DeadLetter | None, str]:
    """The letter as SQS has it, or why it cannot be shown."""
    bound = context.settings.bound
    if queue not in bound:
        return None, f"The settings have no queue {queue!r}."
    try:
        async with asyncio.timeout(_READING):
            letters = await DeadLetterQueue.of(context.clients, bound[queue].url or "")
            found = await letters.peek(DeadLetterFilter(ids=frozenset({letter_id})), 1)
    except SourceError as error:
        return None, f"SQS refused: {error}."
    except TimeoutError:
        return None, f"SQS did not return it within {_READING:.0f} s."
    if not found:
        return None, (
            "SQS did not return it: it was sent back, deleted, or has expired; or it stands behind the first "
            "ten of its group, which is all that SQS shows of a FIFO queue."
        )
    return found[0], ""
