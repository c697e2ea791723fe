"""Where to look in a running stack: commands to copy, and addresses."""

import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from orca_daemon.local.shell import COMMAND, installed
from orca_daemon.local.state import LOG_FILE, STACK_FILE, Whereabouts

_WIDTH = 36
_OURS = {
    "orca-daemon jobs": "recoveries and their states",
    "orca-daemon job JOB": "its files; JOB: as much as is unique",
    "orca-daemon reports": "comparisons of S3 with the catalog",
    "orca-daemon dlq list status_update": "messages that cannot succeed, and why",
    "orca-daemon send --help": "send messages",
    "orca-daemon check": "check settings, queues and database",
}


def where_to_look(whereabouts: Whereabouts, state: Path, here: Path) -> Iterator[str]:
    """Lines to print.

    Args:
        whereabouts: the running stack; its passwords are not printed, because terminals and logs keep them.
        state: its directory.
        here: the directory that relative paths start from.
    """
    program = COMMAND if _is_everywhere() else _short(installed(), here)
    if whereabouts.console_url:
        yield f"\nIn a browser:\n\n  {whereabouts.console_url}"
    yield "\nIn another terminal, in this directory:\n"
    yield f'  eval "$({program} local env --state {_short(state, here)})"'
    commands = dict(_OURS)
    if shutil.which("psql"):
        commands["psql -c 'TABLE orca.recovery_job'"] = "a table of ORCA"
    if shutil.which("aws"):
        commands[f"aws s3 ls --recursive s3://{whereabouts.buckets['protected']}"] = ""
    for command, meaning in commands.items():
        yield f"  {command:<{_WIDTH}} {meaning}".rstrip()
    yield f"\n  metrics  {whereabouts.http_url}/metrics"
    yield f"  health   {whereabouts.http_url}/readyz"
    if (state / LOG_FILE).exists():
        yield f"  log      {_short(state / LOG_FILE, here)}"
    yield f"  all      {_short(state / STACK_FILE, here)}"
    yield "\nThe daemon keeps running; Ctrl-C stops everything."


def _is_everywhere() -> bool:
    """Whether another terminal finds the command; that of an active venv or of `./dev run` it does not."""
    found = shutil.which(COMMAND)
    return found is not None and (sys.prefix == sys.base_prefix or Path(found) != installed())


def _short(path: Path, here: Path) -> str:
    """The path for a shell, relative if it is below `here`."""
    return shlex.quote(str(path.relative_to(here)) if path.is_relative_to(here) else str(path))
