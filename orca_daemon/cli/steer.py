"""`orca-daemon status`, `pause`, `resume`, `reload`: see what the daemons do, and steer them."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID, uuid4

import typer

from orca_daemon.cli.acting import ActionId, user
from orca_daemon.cli.exits import USAGE, fail, run, settings_or_exit
from orca_daemon.cli.options import AsJson, Config
from orca_daemon.cli.output import format_bytes, note, print_json, print_table, say, terminal_width
from orca_daemon.cli.table import printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from orca_daemon.db.database import Database
    from orca_daemon.operations.daemons import Work
    from orca_daemon.operations.steering import QueueStatus, Status, Steered
    from orca_daemon.settings import Settings

WATCH_SECONDS = 2.0
_SIGNALS = (
    "signals do it for one daemon: SIGUSR2 pauses all its queues, and a second one resumes them "
    "(kill -USR2 PID, docker kill --signal=USR2, kubectl exec … -- kill -USR2 1)"
)
_RELOADS = (
    "send SIGHUP: systemctl reload orca-daemon, docker kill --signal=HUP orca-daemon, "
    "kubectl exec … -- kill -HUP 1, or kill -HUP PID"
)
Queue = Annotated[str | None, typer.Argument(metavar="QUEUE", help="Name of the queue in the settings.")]
All = Annotated[bool, typer.Option("--all", help="All queues of the settings and of the daemons.")]
Who = Annotated[str | None, typer.Option("--who", help="Who does it; default: the user of this machine.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status")(status)
    app.command("pause")(pause)
    app.command("resume")(resume)
    app.command("reload")(reload)


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


def pause(
    queue: Queue = None,
    every: All = False,
    reason: Annotated[
        str, typer.Option("--reason", help="Why; the status and the log show it.  [required]")
    ] = "",
    who: Who = None,
    action: ActionId = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Stop receiving from a queue on all daemons.

    It lasts until the queue is resumed; what was received is finished.  A pause takes effect within
    `engine.wait` and five seconds.  Daemons that start later obey as well.

    \b
    orca-daemon pause recovery --reason "S3 maintenance until noon"
    orca-daemon pause --all --reason "database upgrade"
    """
    if not reason.strip():
        raise typer.BadParameter(
            f"say why, for the status and the log: orca-daemon pause {queue or '--all'}"
            ' --reason "S3 maintenance until noon"',
            param_hint="--reason",
        )
    settings, id_ = settings_or_exit(config), action or uuid4()
    steered = run(_pause(settings, _one(queue, every=every), who or user(), reason, id_))
    _print_steered(steered, "pause", id_, as_json=as_json)


def resume(
    queue: Queue = None,
    every: All = False,
    who: Who = None,
    action: ActionId = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Receive from a paused queue again.  A pause by the settings or by a signal stays.

    \b
    orca-daemon resume recovery
    orca-daemon resume --all
    """
    settings, id_ = settings_or_exit(config), action or uuid4()
    steered = run(_resume(settings, _one(queue, every=every), who or user(), id_))
    _print_steered(steered, "resume", id_, as_json=as_json)


def reload(
    pid: Annotated[
        int | None, typer.Option("--pid", help="This process; default: the daemons of this machine.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Have local daemons read their settings again.

    Sends SIGHUP to the daemons of this database that run on this machine.  What can change at run time is
    applied: `log.level`, and `paused` of each queue.  The log line `reloaded` names each other setting that
    changed and needs a restart.

    \b
    orca-daemon reload
    orca-daemon reload --pid 4711
    """
    from orca_daemon.operations import reloading

    found = [pid] if pid else run(_daemons_here(settings_or_exit(config)))
    if not found:
        fail(f"no daemon of this database was found on this machine; {_RELOADS}")
    for each in found:
        try:
            reloading.reload(each)
        except OSError as error:
            fail(f"process {each}: {error.strerror}; {_RELOADS}")
    if as_json:
        print_json("reload", {"pids": found})
    else:
        say(f"sent SIGHUP to {', '.join(map(str, found))}; the log line 'reloaded' says what was applied")


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


async def _pause(settings: "Settings", queue: str | None, who: str, reason: str, action: UUID) -> "Steered":
    from orca_daemon.operations import steering

    async with _steerable(settings) as opened:
        return await steering.pause(opened, await _named(opened, settings, queue), who, reason, action)


async def _resume(settings: "Settings", queue: str | None, who: str, action: UUID) -> "Steered":
    from orca_daemon.operations import steering

    async with _steerable(settings) as opened:
        return await steering.resume(opened, await _named(opened, settings, queue), who, action)


async def _daemons_here(settings: "Settings") -> list[int]:
    from orca_daemon.engine.errors import DependencyDown
    from orca_daemon.operations.database import database
    from orca_daemon.operations.reloading import daemons_here

    try:
        async with database(settings) as opened:
            return await daemons_here(opened)
    except DependencyDown as error:
        fail(f"{error}: which daemons run here is not known; {_RELOADS}")


@asynccontextmanager
async def _steerable(settings: "Settings") -> "AsyncIterator[Database]":
    """The database; if it is away, exit 1 and say what works without it."""
    from orca_daemon.db.actions import OtherActionError
    from orca_daemon.engine.errors import DependencyDown
    from orca_daemon.operations.database import database
    from orca_daemon.operations.errors import UnknownQueueError

    try:
        async with database(settings) as opened:
            yield opened
    except DependencyDown as error:
        fail(f"{error}; nothing was changed.  Without the database, {_SIGNALS}")
    except UnknownQueueError as error:
        fail(f"no queue {error.queue!r}; there are: {', '.join(error.known) or 'none'}", USAGE)
    except OtherActionError as error:
        fail(str(error), USAGE)


async def _named(opened: "Database", settings: "Settings", queue: str | None) -> list[str]:
    from orca_daemon.operations import steering

    known = await steering.known_queues(opened, settings.bound)
    if queue is None and known:
        return known
    if queue is None:
        fail("there is no queue: the settings give none a URL, and no daemon has written to this database")
    steering.check_known(queue, known)
    return [queue]


def _one(queue: str | None, *, every: bool) -> str | None:
    """The queue that is named; None for all."""
    if (queue is None) is not every:
        raise typer.BadParameter("name one queue, or give --all", param_hint="QUEUE")
    return queue


def _print_steered(steered: "Steered", verb: str, action: UUID, *, as_json: bool) -> None:
    from orca_daemon.db.actions import Beginning

    again = steered.beginning is Beginning.FINISHED
    if as_json:
        lists = {"queues": list(steered.queues), "changed": list(steered.changed)}
        print_json(verb, {"action": str(action), **lists, "done_before": again})
        return
    done = "paused" if verb == "pause" else "resumed"
    for queue in steered.queues:
        was = " before" if queue not in steered.changed else " by this action before" if again else ""
        say(f"{queue}: {done}{was}")


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
