"""`orca-daemon local`: the daemon with everything it needs, embedded."""

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from orca_daemon.ops.bootstrap import ends_the_process

if TYPE_CHECKING:
    from orca_daemon.local.stack import Stack
    from orca_daemon.local.state import Whereabouts

_INTERRUPTED = 130
_DIED = 70


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("local")(local)


def local(
    state: Annotated[
        Path | None,
        typer.Option(
            help="Directory that keeps the data, made if it is missing; without it nothing is kept."
        ),
    ] = None,
    endpoint_url: Annotated[
        str | None,
        typer.Option(help="LocalStack, used instead of the embedded SQS and S3: http://127.0.0.1:4566."),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Feed a sample workload, and show what happened.")
    ] = False,
    leave: Annotated[
        bool, typer.Option("--exit", help="Stop after the demo: 0 if everything ended as it should.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Run the daemon with everything it needs, embedded on loopback.

    Postgres, SQS and S3 start and stop with it; Ctrl-C or SIGTERM ends it.

    With --state, DIR/stack.json says where everything is as soon as the daemon is ready; its "environment"
    holds the variables that orca-daemon and every AWS client need to find this stack.

    All servers listen on 127.0.0.1 only.  Postgres wants the password in stack.json, which only you can read,
    and which is printed nowhere; SQS and S3 let in every user of this machine.

    Exit codes: 0 stopped by Ctrl-C or SIGTERM, or every step of the demo ended as it should; 1 some step did
    not; 70 a part of the stack ended by itself; 78 it did not start.

    \b
    orca-daemon local --demo
    orca-daemon local --demo --exit --json
    orca-daemon local --state ./orca-state
    """
    if leave and not demo:
        raise typer.BadParameter("--exit ends the run after the demo: it needs --demo")
    if endpoint_url and not endpoint_url.startswith(("http://", "https://")):
        raise typer.BadParameter(
            f"--endpoint-url takes a URL such as http://127.0.0.1:4566, not {endpoint_url}"
        )
    stack = _stack(state, endpoint_url, quiet=demo or as_json)
    raise typer.Exit(_run(stack, demo=demo, leave=leave, as_json=as_json))


def _stack(state: Path | None, endpoint_url: str | None, *, quiet: bool) -> "Stack":
    from orca_daemon.local.stack import Stack
    from orca_daemon.local.state import StateBusyError

    try:
        return Stack(state, endpoint_url=endpoint_url, log=quiet)
    except StateBusyError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}; name a directory that you may write to with --state")


def _run(stack: "Stack", *, demo: bool, leave: bool, as_json: bool) -> int:
    from orca_daemon.local import NotStartedError

    code = 0
    try:
        with _interruptible():
            typer.echo("starting Postgres, SQS, S3 and the daemon", err=True)
            whereabouts = stack.start()
            if demo:
                code = _INTERRUPTED
                code = _demo(stack, whereabouts, as_json=as_json, stays=not leave)
            elif as_json:
                typer.echo(json.dumps(whereabouts.shown()))
            else:
                _announce(whereabouts, stack.state.path)
            if not leave:
                code = 0
                code = _watch(stack)
    except NotStartedError as error:
        stack.stop()
        _fail(str(error))
    except _Interrupted:
        typer.echo("stopping", err=True)
        code = code if leave else 0
    except BaseException:
        stack.stop()
        raise
    return stack.stop() or code


def _demo(stack: "Stack", whereabouts: "Whereabouts", *, as_json: bool, stays: bool) -> int:
    from orca_daemon.local.demo import play

    return play(stack, whereabouts, as_json=as_json, stays=stays)


def _announce(whereabouts: "Whereabouts", state: Path) -> None:
    from orca_daemon.local.demo.report import where_to_look

    where_to_look(whereabouts, state)


def _watch(stack: "Stack") -> int:
    """Return when a part has ended, which none should."""
    while not (ended := stack.ended()):
        time.sleep(0.2)
    typer.echo(
        f"orca-daemon: {', '.join(ended)} ended by itself: see {stack.log or 'above'}; stopping", err=True
    )
    return _DIED


class _Interrupted(BaseException):
    pass


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGINT and SIGTERM leave the block, the first of them; the next ends the process.

    What it started ends with it: every child dies with its parent.
    """

    def interrupt(_number: int, _frame: object) -> NoReturn:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, ends_the_process())
        raise _Interrupted

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    yield


def _fail(message: str) -> NoReturn:
    typer.echo(f"orca-daemon: {message}", err=True)
    sys.stderr.flush()
    raise typer.Exit(78)
