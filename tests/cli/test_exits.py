"""How commands end: the exit code and the one line of each kind of failure."""

from collections.abc import Callable

import pytest
import typer

from orca_daemon.cli.exits import errors_exit, run
from orca_daemon.db.address import AddressError
from orca_daemon.engine.errors import DependencyDown, Reject
from orca_daemon.operations.errors import NotFoundError
from orca_daemon.settings import SettingsError


class OtherError(Exception):
    """An error of one command."""


def encode(text: str, encoding: str) -> None:
    text.encode(encoding)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (AddressError("no database is configured"), 78, "no database is configured"),
        (SettingsError(["no region"]), 78, "no region"),
        (DependencyDown("postgres", "refused"), 1, "postgres is down: refused"),
        (Reject("a reason"), 1, "a reason"),
        (NotFoundError("no job 7"), 1, "no job 7"),
        (TimeoutError(), 1, "TimeoutError"),
        (OtherError("for this command"), 1, "for this command"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_of_an_operation_is_one_line_and_an_exit_code(
    error: Exception, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as exit_, errors_exit(OtherError):
        raise error
    assert (exit_.value.exit_code, capsys.readouterr().err) == (code, f"orca-daemon: {line}\n")


@pytest.mark.parametrize(
    ("work", "code", "line"),
    [
        (lambda: encode("\udcff", "utf-8"), 2, "an argument is not text in UTF-8"),
        (lambda: encode("ü", "ascii"), 1, "standard output is not in UTF-8"),
    ],
    ids=["argument", "output"],
)
def test_text_that_cannot_be_encoded_names_its_cause(
    work: Callable[[], None], code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as exit_, errors_exit():
        work()
    assert exit_.value.exit_code == code
    assert line in capsys.readouterr().err


def test_ctrl_c_exits_130(capsys: pytest.CaptureFixture[str]) -> None:
    async def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as exit_:
        run(interrupted())
    assert (exit_.value.exit_code, capsys.readouterr().err) == (130, "orca-daemon: interrupted\n")


def test_a_bug_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), errors_exit():
        raise ZeroDivisionError
