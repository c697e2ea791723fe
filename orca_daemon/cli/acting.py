"""Commands that act under an id: recorded before they begin, done once, resumed if they were cut short."""

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated
from uuid import UUID, uuid4

import typer

from orca_daemon.cli.exits import FAILED, USAGE, fail
from orca_daemon.cli.output import note
from orca_daemon.settings import Settings

if TYPE_CHECKING:
    from orca_daemon.operations.recorded import Request

ActionId = Annotated[
    UUID | None,
    typer.Option(
        "--action-id",
        "--action",
        help="Id of the action; that of one that was cut short resumes it.  Default: a new one.",
    ),
]


def user() -> str:
    """Who runs the command, as the record of actions names it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        name = f"uid {os.getuid()}"
    return f"{name}@{socket.gethostname()}"


@contextmanager
def action(settings: Settings, action_id: UUID | None) -> "Iterator[Request]":
    """The request to pass to an operation.  With a database its id is printed first.

    Exits 0 if the action was done before, 1 if another process does it, 2 if the id is that of another one.
    """
    from orca_daemon.operations.actions import OtherActionError
    from orca_daemon.operations.recorded import AlreadyDoneError, Request, UnderWayError

    request = Request(action_id or uuid4(), user())
    if settings.database.configured:
        note(f"action {request.id}")
    try:
        yield request
    except AlreadyDoneError as error:
        note(str(error))
        raise typer.Exit from error
    except UnderWayError as error:
        fail(str(error))
    except OtherActionError as error:
        fail(str(error), USAGE)
    except typer.Exit as error:
        if settings.database.configured and error.exit_code not in {0, USAGE}:
            note(f"to go on with it: the same command with --action-id {request.id}")
        raise


def recorded_id(settings: Settings, request: "Request") -> dict[str, str]:
    """The id for `--json`, if the action is recorded."""
    return {"action_id": str(request.id)} if settings.database.configured else {}


def exit_if(*, failed: bool) -> None:
    """Exit 1 if a part failed: the action is over, and another one may try again."""
    if failed:
        raise typer.Exit(FAILED)
