"""Failures that take long to count are shown by the next refresh, and counted once for everybody."""

import asyncio
from types import SimpleNamespace
from typing import Any

from orca_daemon.console.pages.failures import FailureCounts


async def test_a_count_that_takes_longer_than_a_page_waits_is_there_later() -> None:
    counted, calls = asyncio.Event(), []

    async def read(work: object, since: object) -> list[str]:
        calls.append(since)
        await counted.wait()
        return ["a group"]

    context: Any = SimpleNamespace(reader=SimpleNamespace(read=read))
    counts = FailureCounts()
    assert [await counts.groups(context, "7d"), await counts.groups(context, "7d")] == [None, None]
    counted.set()
    await asyncio.wait(counts._counting.values())
    later = await counts.groups(context, "7d")
    assert later is not None
    assert (*later.groups, len(calls)) == ("a group", 1)
