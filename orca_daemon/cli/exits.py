"""How a command ends: its exit code, and one line on standard error if it fails."""

import asyncio
import os
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer

from orca_daemon.settings import Settings, SettingsError, load

T = TypeVar("T")
FAILED = 1
USAGE = 2
WRONG_SETTINGS = 78
"""EX_CONFIG of sysexits.h: starting again cannot help."""
INTERRUPTED = 130
"""128 and the number of SIGINT, as shells report it."""


def fail(text: str, code: int = FAILED) -> NoReturn:
    """Print one line on standard error, and exit."""
    typer.echo(f"orca-daemon: {text}", err=True)
    raise typer.Exit(code)


def settings_or_exit(
    file: Path | None = None, flags: Mapping[str, object] | None = None, *, need_queue: bool = False
) -> Settings:
    """The settings; if they are wrong, every mistake on standard error and exit 78."""
    _trim_for_botocore()
    try:
        return load(file or _file_of_environment(), os.environ, flags, need_queue=need_queue)
    except SettingsError as error:
        fail_settings(error)


def fail_settings(error: SettingsError) -> NoReturn:
    """Print every mistake in the settings on standard error, and exit 78."""
    typer.echo("orca-daemon: the settings are wrong:", err=True)
    for mistake in error.mistakes:
        typer.echo(f"  {mistake}", err=True)
    raise typer.Exit(WRONG_SETTINGS) from None


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of an operation; Ctrl-C exits 130, and its errors exit as `errors_exit` says."""
    with errors_exit():
        try:
            return asyncio.run(work)
        except KeyboardInterrupt:
            fail("interrupted", INTERRUPTED)


@contextmanager
def errors_exit(*others: type[Exception]) -> Iterator[None]:
    """Exit if an operation fails: 78 if the settings are wrong, 2 if an argument is not UTF-8, else 1.

    `others` are further errors, of one command, that exit 1.
    """
    from orca_daemon.aws.call_errors import CALL_ERRORS
    from orca_daemon.db.address import AddressError
    from orca_daemon.db.failures import PostgresError
    from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
    from orca_daemon.operations.errors import NotFoundError

    ours = (DependencyDown, NotYet, NotFoundError, PostgresError, Refused, Reject)
    failures: tuple[type[Exception], ...] = (*ours, *CALL_ERRORS, *others)
    try:
        yield
    except (AddressError, SettingsError) as error:
        fail(str(error), WRONG_SETTINGS)
    except UnicodeEncodeError as error:
        _fail_encoding(error)
    except failures as error:
        if isinstance(error.__context__, UnicodeEncodeError):
            _fail_encoding(error.__context__)
        fail(str(error) or type(error).__name__)


def _fail_encoding(error: UnicodeEncodeError) -> NoReturn:
    # A terminal of another encoding sent bytes that Python keeps as surrogates; UTF-8 cannot encode them.
    if error.encoding == "utf-8":
        fail("an argument is not text in UTF-8", USAGE)
    fail("standard output is not in UTF-8 and cannot take all of the answer: set PYTHONIOENCODING=utf-8")


def _trim_for_botocore() -> None:
    """Remove blanks and newlines around the values of AWS's own variables; botocore does not."""
    for name, value in os.environ.items():
        if name.startswith("AWS_") and value != value.strip():
            os.environ[name] = value.strip()


def _file_of_environment() -> Path | None:
    return Path(name) if (name := os.environ.get("ORCA_CONFIG")) else None
