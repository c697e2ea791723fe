"""Asks a daemon to export tables now."""

from collections.abc import Sequence

from orca_daemon.console.acting.action import Action, Fields, Outcome, Preview, Progress
from orca_daemon.console.acting.posting import INTERNAL_REPORT, post
from orca_daemon.console.context import ConsoleContext
from orca_daemon.console.show import plural
from orca_daemon.export.tables import allowed, choose
from orca_daemon.operations.messages import export_request
from orca_daemon.operations.recorded import Request
from orca_daemon.operations.sending import queue_url


class Export(Fields):
    """Which tables."""

    tables: str = ""
    """Names with commas between them; empty means all that the settings allow."""


def _tables(console: ConsoleContext, fields: Export) -> Sequence[str]:
    among = allowed(console.settings.export)
    names = [name.strip() for name in fields.tables.split(",") if name.strip()] or sorted(among)
    chosen, refused = choose(names, among)
    if refused:
        raise ValueError(f"{refused}.")
    return [table.name for table in chosen]


async def _preview(console: ConsoleContext, fields: Export) -> Preview:
    queue_url(console.settings, INTERNAL_REPORT)
    bucket = console.settings.export.bucket
    if bucket is None:
        raise ValueError("No bucket for exports is set: export.bucket.")
    tables = _tables(console, fields)
    return Preview(
        sentence=f"Export {plural(len(tables), 'table')} to {bucket}: what changed since the newest files.",
        count=len(tables),
        facts=[("Tables", ", ".join(tables))],
        possible=bool(tables),
    )


async def _perform(
    console: ConsoleContext, fields: Export, _progress: Progress, _request: Request
) -> Outcome:
    tables = _tables(console, fields)
    return await post(
        console, export_request({"tables_to_query": list(tables)}), f"an export of {', '.join(tables)}"
    )


ACTION = Action(name="export", title="Export now", fields=Export, preview=_preview, perform=_perform)
