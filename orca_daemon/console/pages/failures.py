"""The page `/failures`: what failed of everything, grouped by reason."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from orca_daemon.console.context import ConsoleContext, Context
from orca_daemon.console.rendering import page
from orca_daemon.console.show import link
from orca_daemon.operations.failures import FailureGroup, FailureSource, groups_since

router = APIRouter()
_MOST = 100
"""Groups on the page."""
_FRESH = 10.0
"""Seconds for which groups are shown again."""
_PATIENCE = 0.25
"""Seconds that the answer waits for groups that are still counted; older ones are shown meanwhile."""
SPANS: Mapping[str, tuple[str, timedelta]] = {
    "1d": ("24 hours", timedelta(days=1)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
}
SOURCES: Mapping[str, str] = {
    FailureSource.FILES: "files of recoveries",
    FailureSource.REPORTS: "comparisons",
    FailureSource.EXPORTS: "exports",
    FailureSource.DEAD_LETTERS: "dead letters",
}


@dataclass(frozen=True, slots=True)
class Counted:
    """The groups of a span, and when they were counted."""

    groups: Sequence[FailureGroup]
    at: datetime
    clock: float


class FailureCounts:
    """Groups of failures, counted once for all visitors, because that may take a second or two."""

    def __init__(self) -> None:
        self._counted: dict[str, Counted] = {}
        self._counting: dict[str, asyncio.Task[None]] = {}

    async def groups(self, context: ConsoleContext, span: str) -> Counted | None:
        """The groups of this span; None if they are counted for the first time, and that takes longer."""
        known = self._counted.get(span)
        if known is not None and time.monotonic() - known.clock < _FRESH:
            return known
        task = self._counting.get(span)
        if task is None or task.done():
            task = self._counting[span] = asyncio.create_task(self._count(context, span))
        await asyncio.wait({task}, timeout=_PATIENCE)
        if task.done():
            task.result()  # raises what went wrong
        return self._counted.get(span)

    async def _count(self, context: ConsoleContext, span: str) -> None:
        now = datetime.now(UTC)
        groups = await context.reader.read(groups_since, now - SPANS[span][1])
        # Kept even if whoever asked first does not wait any more.
        self._counted[span] = Counted(groups, now, time.monotonic())


@router.get("/failures", response_class=HTMLResponse, include_in_schema=False)
async def failures(
    request: Request,
    context: Context,
    since: Annotated[str, Query(max_length=8)] = "7d",
    source: Annotated[str, Query(max_length=16)] = "",
) -> HTMLResponse:
    """The page."""
    since = since if since in SPANS else "7d"
    source = source if source in SOURCES else ""
    counted = await _of(request).groups(context, since)
    groups = [group for group in counted.groups if not source or group.source == source] if counted else []
    parameters = {"since": since, "source": source}
    return page(
        request,
        "failures.html",
        counted=counted,
        groups=groups[:_MOST],
        left=len(groups) - _MOST,
        total=sum(group.count for group in groups),
        spans=SPANS,
        sources=SOURCES,
        parameters=parameters,
        example=_example,
        every=2 if counted is None else 15,
        address=link("/failures", parameters),
    )


def _example(group: FailureGroup) -> str:
    """The address of the example."""
    match group.source:
        case FailureSource.FILES:
            return link("/recoveries/job", {"id": group.example_id, "status": "failed"})
        case FailureSource.REPORTS:
            return link("/reconciliation/job", {"id": group.example_id})
        case _:
            return link("/dead-letters/letter", {"id": group.example_id, "queue": group.queue})


def _of(request: Request) -> FailureCounts:
    state = request.app.state
    if not hasattr(state, "failures"):
        state.failures = FailureCounts()
    found: FailureCounts = state.failures
    return found
