"""A console process that serves ORCA's read API of one database, without tokens."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from orca_daemon.local.moto import CREDENTIALS, REGION


@contextmanager
def console_process(database_url: str, **settings: str) -> Iterator[tuple[str, int]]:
    """Run `orca-daemon console`; yields its URL and its process id.

    Args:
        database_url: its database.
        settings: more settings of the section `console`, as in the environment.
    """
    chosen = {"listen": "127.0.0.1:0", "orca_api": "open", **settings}
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("ORCA_", "AWS_"))},
        **CREDENTIALS,
        "AWS_REGION": REGION,
        "ORCA_DATABASE__URL": database_url,
        **{f"ORCA_CONSOLE__{name.upper()}": value for name, value in chosen.items()},
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "orca_daemon", "console"], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        yield _url(process), process.pid
    finally:
        process.terminate()
        process.communicate()


def _url(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    for line in process.stdout:
        entry = json.loads(line)
        if entry["event"] == "console.listening":
            return str(entry["url"])
    raise AssertionError(f"the console ended with {process.wait()}")
