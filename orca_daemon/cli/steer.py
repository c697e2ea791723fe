"""`orca-daemon pause`, `resume`, `reload`: steer the daemons."""

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated
from uuid import UUID, uuid4

import typer

from orca_daemon.cli.acting import ActionId, user
from orca_daemon.cli.exits import USAGE, fail, run, settings_or_exit
from orca_daemon.cli.options import AsJson, Config
from orca_daemon.cli.output import print_json, say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from orca_daemon.db.database import Database
    from orca_daemon.operations.steering import Steered
    from orca_daemon.settings import Settings

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
    app.command("pause")(pause)
    app.command("resume")(resume)
    app.command("reload")(reload)


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
