"""`orca-daemon local`: the daemon with everything it needs, embedded."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from orca_daemon.cli.exits import FAILED, INTERRUPTED, USAGE, WRONG_SETTINGS, fail, fail_settings
from orca_daemon.cli.options import Config
from orca_daemon.cli.output import print_json
from orca_daemon.ops.bootstrap import ends_the_process

if TYPE_CHECKING:
    from orca_daemon.local.demo.scene import Step
    from orca_daemon.local.stack import Stack
    from orca_daemon.local.state import Whereabouts

_PART_ENDED = 70
"""EX_SOFTWARE of sysexits.h."""


commands = typer.Typer()


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(commands, name="local")


@commands.callback(invoke_without_command=True, subcommand_metavar="[env --state DIR]")
def local(
    context: typer.Context,
    state: Annotated[
        Path | None,
        typer.Option(
            help="Directory that keeps the data, created if it is missing; without it nothing is kept."
        ),
    ] = None,
    endpoint_url: Annotated[
        str | None,
        typer.Option(help="Use this LocalStack instead of the embedded SQS and S3: http://127.0.0.1:4566."),
    ] = None,
    queue: Annotated[
        list[str] | None,
        typer.Option(
            help="Make one more queue: the name of a route, with .fifo for a FIFO queue; repeatable."
        ),
    ] = None,
    config: Config = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Run a sample workload, and show the result of each step.")
    ] = False,
    leave: Annotated[
        bool, typer.Option("--exit", help="Stop after the demo; exit 0 only if every step passed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Run daemon and console with all they need, on loopback.

    Postgres, SQS and S3 start and stop with it; Ctrl-C or SIGTERM ends it.

    With --state, DIR/stack.json is written as soon as daemon and console are ready.  It has the addresses of
    everything.  A shell uses this stack after: eval "$(orca-daemon local env --state DIR)"

    It makes ORCA's queues, every queue that the settings file names, and one for each other route of the
    code.

    All servers listen on 127.0.0.1 only.  The password of Postgres is in stack.json, which only you can read,
    and only env prints it; SQS and S3 accept every user of this machine.

    Exit codes: 0 stopped by Ctrl-C or SIGTERM, or every step of the demo passed; 1 a step failed; 70 a part
    of the stack ended by itself; 78 it did not start.

    \b
    orca-daemon local --demo
    orca-daemon local --demo --exit --json
    orca-daemon local --state ./orca-state
    eval "$(orca-daemon local env --state ./orca-state)"
    """
    if context.invoked_subcommand:
        return
    if leave and not demo:
        raise typer.BadParameter("--exit needs --demo: it stops after the demo")
    if endpoint_url and not endpoint_url.startswith(("http://", "https://")):
        raise typer.BadParameter(
            f"--endpoint-url takes a URL such as http://127.0.0.1:4566, not {endpoint_url}"
        )
    stack = _stack(state, endpoint_url, config, queue or [], quiet=demo or as_json)
    raise typer.Exit(_run(stack, demo=demo, leave=leave, as_json=as_json))


@commands.command("env")
def env(
    state: Annotated[Path, typer.Option(help="Directory of the running stack.")],
) -> None:
    """Print the variables of a running stack, for eval in a shell.

    With them orca-daemon, aws and psql use the stack, in any POSIX shell.  They include the password of its
    database.

    \b
    orca-daemon local env --state ./orca-state
    eval "$(orca-daemon local env --state ./orca-state)"
    orca-daemon jobs
    """
    from orca_daemon.local.shell import lines
    from orca_daemon.local.state import NoStackError, running

    try:
        whereabouts = running(state)
    except NoStackError as error:
        fail(str(error), FAILED)
    for line in lines(whereabouts, os.environ):
        typer.echo(line)


def _stack(
    state: Path | None, endpoint_url: str | None, config: Path | None, queues: list[str], *, quiet: bool
) -> "Stack":
    from orca_daemon.local.stack import Stack
    from orca_daemon.local.state import StateBusyError
    from orca_daemon.local.wanted import QueueNameError, parse_queue
    from orca_daemon.settings import SettingsError

    try:
        asked = dict(parse_queue(text) for text in queues)
        return Stack(state, endpoint_url=endpoint_url, log=quiet, config=config, queues=asked)
    except QueueNameError as error:
        fail(f"--queue: {error}", USAGE)
    except SettingsError as error:
        fail_settings(error)
    except StateBusyError as error:
        _fail_to_start(str(error))
    except OSError as error:
        _fail_to_start(
            f"{error.filename}: {error.strerror}; name a directory that you may write to with --state"
        )


def _run(stack: "Stack", *, demo: bool, leave: bool, as_json: bool) -> int:
    """The exit code of the stack, which is stopped when this returns or raises."""
    from orca_daemon.local import NotStartedError

    code = 0
    try:
        with _interruptible():
            typer.echo("starting Postgres, SQS, S3, the daemon and its console", err=True)
            began = time.monotonic()
            whereabouts = stack.start()
            typer.echo(f"ready after {time.monotonic() - began:.0f} s", err=True)
            if demo:
                code = INTERRUPTED  # if Ctrl-C ends the demo before it returns
                code = _demo(stack, whereabouts, as_json=as_json, stays=not leave)
            elif as_json:
                print_json("local", whereabouts.without_passwords(), indent=None)
            else:
                _announce(whereabouts, stack.state.path)
            if not leave:
                code = 0
                code = _wait_until_a_part_ends(stack)
    except NotStartedError as error:
        stack.stop()
        _fail_to_start(str(error))
    except _Interrupted:
        typer.echo("stopping", err=True)
        code = code if leave else 0
    except BaseException:
        stack.stop()
        raise
    return stack.stop() or code


def _demo(stack: "Stack", whereabouts: "Whereabouts", *, as_json: bool, stays: bool) -> int:
    from orca_daemon.local.demo import play, report

    def show(step: "Step") -> None:
        if not as_json:
            report.print_step(step)

    steps = play(whereabouts, lambda: not stack.ended(), show)
    if as_json:
        report.as_json(steps, whereabouts)
    else:
        report.print_result(steps)
    if stays and not as_json:
        _announce(whereabouts, stack.state.path)
    return 0 if all(step.holds for step in steps) else 1


def _announce(whereabouts: "Whereabouts", state: Path) -> None:
    from orca_daemon.local.look import where_to_look

    for line in where_to_look(whereabouts, state, Path.cwd()):
        typer.echo(line)


def _wait_until_a_part_ends(stack: "Stack") -> int:
    """Return the exit code when a part has ended by itself, which is always a failure."""
    while not (ended := stack.ended()):
        time.sleep(0.2)
    log = stack.log or "above"
    typer.echo(f"orca-daemon: {', '.join(ended)} ended by itself: see {log}; stopping", err=True)
    return _PART_ENDED


class _Interrupted(BaseException):
    """The first SIGINT or SIGTERM; not an Exception, so that no handler of errors catches it."""


@contextmanager
def _interruptible() -> Iterator[None]:
    """Raise `_Interrupted` in the block at the first SIGINT or SIGTERM; the next one ends the process.

    Its children end with it: the kernel sends them a signal when their parent dies.
    """

    def interrupt(_number: int, _frame: object) -> NoReturn:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, ends_the_process())
        raise _Interrupted

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    yield


def _fail_to_start(text: str) -> NoReturn:
    fail(text, WRONG_SETTINGS)
