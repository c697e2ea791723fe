"""`orca-daemon status`: see what the daemons do, what waits, and what failed."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from orca_daemon.cli.exits import run, settings_or_exit
from orca_daemon.cli.options import AsJson, Config
from orca_daemon.cli.output import format_bytes, note, print_json, print_table, say, terminal_width
from orca_daemon.cli.table import printable

if TYPE_CHECKING:
    from orca_daemon.operations.daemons import Work
    from orca_daemon.operations.steering import QueueStatus, Status
    from orca_daemon.settings import Settings

WATCH_SECONDS = 2.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status")(status)


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again every two seconds.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show what the daemons do, what waits, and what failed.

    That is: the queues with their dead letters, the files that failed in the last 24 hours, the daemons, long
    work in progress, and the latest actions of operators.  SQS is asked for the numbers of messages.

    \b
    orca-daemon status
    orca-daemon status --watch
    orca-daemon status --json
    """
    run(_status(settings_or_exit(config), watch=watch, as_json=as_json))


async def _status(settings: "Settings", *, watch: bool, as_json: bool) -> None:
    from orca_daemon.operations import steering
    from orca_daemon.operations.database import database
    from orca_daemon.operations.waiting import asked

    async with database(settings) as opened, asked(settings) as waiting:
        while True:
            now = await steering.status(opened, await waiting.counts())
            if as_json:
                print_json("status", _document(now), indent=None if watch else 2)
            else:
                _print_status(now, clear=watch and terminal_width() is not None)
            if not watch:
                return
            await asyncio.sleep(WATCH_SECONDS)


def _print_status(now: "Status", *, clear: bool) -> None:
    from orca_daemon.operations.action_words import about
    from orca_daemon.operations.steering import READ_EVERY

    if clear:
        typer.echo("\x1b[H\x1b[2J", nl=False)
    if not now.daemons:
        note("No daemon has written to this database within the last hour.")
    columns = (
        "queue",
        "state",
        "#daemons",
        "#in flight",
        "#waiting",
        "#dead letters",
        "#received/s",
        "#finished/s",
        "#dead/s",
    )
    print_table(columns, map(_queue_cells, now.queues))
    for queue in now.queues:
        for sentence in _sentences(queue, now.now):
            say(printable(f"{queue.name}: {sentence}"))
    for problem in dict.fromkeys(queue.problem for queue in now.queues if queue.problem):
        note(f"SQS does not tell what waits now ({problem}); daemons read this up to {READ_EVERY} s ago")
    if now.failed_files:
        say("")
        say(f"{_failed_files(now.failed_files)} in the last 24 hours: orca-daemon failures --since 24h")
    if now.daemons:
        say("")
        cells = ((f"{row.host} {str(row.id)[:8]}", row.version, _time(row.started_at), _heard(row.silent),
                  row.state.get("pid")) for row in now.daemons)  # fmt: skip
        print_table(("daemon", "version", "started (utc)", "heard", "#pid"), cells)
    if now.work:
        say("")
        print_table(("work", "on", "since (utc)", "how far", "host"), map(_work_cells, now.work))
    if now.actions:
        say("")
        print_table(
            ("action (utc)", "what", "who", "about", "#done", "#of", "ended"),
            (
                (_time(each.at), each.what, each.who, about(each.filter), each.done, each.wanted,
                 each.error or ("yes" if each.finished_at else "no"))
                for each in now.actions
            ),
        )  # fmt: skip


def _queue_cells(queue: "QueueStatus") -> Sequence[object]:
    state = (
        "paused" if queue.paused_by else "down" if queue.down else "read" if queue.daemons else "no daemon"
    )
    waiting = None if queue.waiting is None else int(queue.waiting)
    rates = (queue.received_per_second, queue.finished_per_second, queue.dead_lettered_per_second)
    return (
        queue.name,
        state,
        queue.daemons,
        queue.held,
        waiting,
        queue.dead,
        *(f"{rate:.1f}" for rate in rates),
    )


def _sentences(queue: "QueueStatus", now: datetime) -> Iterator[str]:
    if queue.pause:
        pause_ = queue.pause
        yield f"paused by {pause_.who} since {_time(pause_.since)} UTC: {pause_.why}"
    for cause, text in (("settings", "its setting 'paused'"), ("signal", "SIGUSR2, on a daemon at least")):
        if cause in queue.paused_by:
            yield f"paused by {text}"
    if queue.expires_at:
        hours = (queue.expires_at - now).total_seconds() / 3600
        when = f"in about {hours:.1f} hours" if hours > 0 else "now"
        yield f"SQS deletes the oldest message that waits {when} ({_time(queue.expires_at)} UTC)"


def _work_cells(work: "Work") -> Sequence[object]:
    return (work.kind, work.what, work.since and _time(work.since), _how_far(work), work.host)


def _how_far(work: "Work") -> str:
    if work.done is None:
        return ""
    shown = format_bytes if work.unit == "bytes" else "{:,}".format
    per_cent = f"{100 * work.done / work.total:.0f} %, " if work.total else ""
    whole = f" of {shown(int(work.total))}" if work.total else ""
    unit = "" if work.unit in {None, "bytes"} else f" {work.unit}"
    return f"{work.stage or ''} {per_cent}{shown(int(work.done))}{whole}{unit}".strip()


def _heard(silent: float) -> str:
    from orca_daemon.operations.daemons import SILENT

    return f"{silent:.0f} s ago" if silent < SILENT else f"gone? silent for {silent / 60:.0f} min"


def _failed_files(count: int) -> str:
    from orca_daemon.db.recoveries import MOST

    number = f"{count:,} or more" if count >= MOST else f"{count:,}"
    return f"{number} {'file' if count == 1 else 'files'} failed"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _document(now: "Status") -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [plain(each) for each in value]
        return str(value) if isinstance(value, UUID) else value

    document: dict[str, Any] = plain(asdict(now))
    return document
