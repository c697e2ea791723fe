"""What lies in the bucket of exports, read at most every half a minute for all visitors."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.errors import code_of
from orca_daemon.console.context import ConsoleContext
from orca_daemon.export import files
from orca_daemon.export.tables import allowed

_FRESH = 30.0
_PATIENCE = 2.0
"""Seconds that a page waits for S3; the listing goes on, and the next page has it."""
_MOST_FILES = 1_000


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file of a table."""

    key: str
    end: datetime
    """The end of its window: when the run began."""
    start: datetime | None
    """The beginning of its window: the end of the file before; None for the first, which has everything."""
    size: int


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """A table that may be exported."""

    name: str
    files: tuple[ExportedFile, ...] = ()
    """The newest first."""
    problem: str = ""

    @property
    def newest(self) -> ExportedFile | None:
        """Where the next export goes on."""
        return self.files[0] if self.files else None


class Exports:
    """The files of all tables, for pages."""

    def __init__(self) -> None:
        self._listed: dict[str, tuple[float, ExportedTable]] = {}
        self._listing: dict[str, asyncio.Task[ExportedTable]] = {}

    async def tables(self, context: ConsoleContext) -> list[ExportedTable]:
        """Each table that the settings allow, by name; never fails."""
        names = sorted(allowed(context.settings.export))
        return list(await asyncio.gather(*(self.table(context, name) for name in names)))

    async def table(self, context: ConsoleContext, name: str) -> ExportedTable:
        """One of them."""
        known = self._listed.get(name)
        if known is not None and time.monotonic() - known[0] < _FRESH:
            return known[1]
        task = self._listing.get(name)
        if task is None or task.done():
            task = self._listing[name] = asyncio.create_task(_list(context, name))
        try:
            table = await asyncio.wait_for(asyncio.shield(task), _PATIENCE)
        except TimeoutError:
            return (
                known[1]
                if known
                else ExportedTable(name, problem=f"S3 did not answer within {_PATIENCE:.0f} s")
            )
        self._listed[name] = (time.monotonic(), table)
        return table


async def _list(context: ConsoleContext, name: str) -> ExportedTable:
    bucket = context.settings.export.bucket
    found: dict[str, tuple[datetime, int]] = {}
    pages = context.clients.s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=files.prefix(name)
    )
    try:
        async for page in pages:
            for entry in page.get("Contents", ()):
                if end := files.time_of(entry["Key"], name):
                    found[entry["Key"]] = (end, entry["Size"])
    except CALL_ERRORS as error:
        return ExportedTable(
            name, problem=f"S3 refused to list the bucket: {code_of(error) or type(error).__name__}"
        )
    return ExportedTable(name, _windows(found))


def _windows(found: Mapping[str, tuple[datetime, int]]) -> tuple[ExportedFile, ...]:
    ordered = sorted(found.items(), key=lambda item: item[1])
    starts = [None, *(end for _, (end, _) in ordered)]
    listed = [
        ExportedFile(key, end, start, size)
        for (key, (end, size)), start in zip(ordered, starts, strict=False)
    ]
    return tuple(reversed(listed[-_MOST_FILES:]))
