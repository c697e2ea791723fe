"""The variables with which a POSIX shell uses a running stack, for `eval`."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from orca_daemon.local.daemon import foreign_removed
from orca_daemon.local.state import Whereabouts

COMMAND = "orca-daemon"


def lines(whereabouts: Whereabouts, environ: Mapping[str, str]) -> Iterator[str]:
    """Shell commands: `export` for each variable, `unset` for those that name other queues or accounts."""
    wanted = variables(whereabouts)
    foreign = environ.keys() - foreign_removed(environ).keys() - wanted.keys()
    for name in sorted(filter(str.isidentifier, foreign)):
        yield f"unset {name}"
    for name, value in wanted.items():
        yield f"export {name}={shlex.quote(value)}"
    if not shutil.which(COMMAND, path=environ.get("PATH", "")):
        # Last, so that it hides no other program.
        yield f'export PATH="$PATH":{shlex.quote(str(installed().parent))}'


def variables(whereabouts: Whereabouts) -> dict[str, str]:
    """What orca-daemon, the AWS command line and libpq (psql) read."""
    database = urlsplit(whereabouts.database_url)
    return whereabouts.environment | {
        "AWS_DEFAULT_REGION": whereabouts.environment["AWS_REGION"],  # read by version 1 of aws
        "PGHOST": database.hostname or "",
        "PGPORT": str(database.port or ""),
        "PGUSER": unquote(database.username or ""),
        "PGPASSWORD": unquote(database.password or ""),
        "PGDATABASE": database.path.removeprefix("/"),
    }


def installed() -> Path:
    """The command that belongs to this Python."""
    return Path(os.path.abspath(sys.executable)).with_name(COMMAND)  # noqa: PTH100  resolving leaves the venv
