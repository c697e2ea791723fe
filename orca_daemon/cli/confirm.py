"""Asks before a command changes something; without a terminal, and for JSON, the answer must be a flag."""

import sys

import typer

from orca_daemon.cli.exits import USAGE, fail


def confirm(question: str, *, yes: bool, as_json: bool) -> None:
    """Ask this question, unless `yes`.  Exits 2 if nobody can be asked, and 1 if the answer is no.

    The question is on standard error, because standard output is for the result.
    """
    refuse_unless_answered(yes=yes, as_json=as_json)
    if yes:
        return
    if not is_terminal():
        fail("stdin is not a terminal; pass --yes or --dry-run", USAGE)
    typer.confirm(question, abort=True, err=True)


def refuse_unless_answered(*, yes: bool, as_json: bool) -> None:
    """Exit 2 if a command whose output is JSON would have to ask."""
    if as_json and not yes:
        fail("--json and --csv cannot ask; pass --yes or --dry-run", USAGE)


def is_terminal() -> bool:
    """Whether somebody can answer on standard input."""
    return sys.stdin.isatty()
