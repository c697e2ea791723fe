"""Runs `orca-daemon` as process 1 of a pid namespace: `python -m tests.app.process_one ARGUMENT...`.

Where namespaces are not allowed, it simulates one: `os.getpid` returns 1, and a default action does nothing,
as the kernel has it for process 1.  `SLOW=1` makes the imports of the command line wait.
"""

import os
import signal
import subprocess
import sys
import time
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any
from unittest.mock import patch

NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child")
AGAIN = "TESTS_PROCESS_ONE"


class _Slow(MetaPathFinder):
    """An import that takes long."""

    def find_spec(self, name: str, *_: Any) -> None:
        if name == "orca_daemon.cli":
            print("importing", flush=True)  # noqa: T201  the test reads it
            # Sleep in short steps, because a signal just before a long sleep is handled only after it.
            for _nap in range(1_200):
                time.sleep(0.05)


def main() -> None:
    from orca_daemon.__main__ import main as run

    if os.environ.pop("SLOW", ""):
        sys.meta_path.insert(0, _Slow())
    run()


def allowed() -> bool:
    """Whether a process may create a pid namespace here."""
    try:
        return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def pid_of_one(pid: int) -> int:
    """The process id, as we see it, of the process that is number 1."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return int(children[0]) if children else pid


if __name__ == "__main__":
    if AGAIN in os.environ:
        main()
    elif os.environ.get("PRETEND") or not allowed():
        with patch("os.getpid", return_value=1), patch.object(signal, "raise_signal"):
            main()
    else:
        os.environ[AGAIN] = "1"
        program = [*NAMESPACE, sys.executable, "-m", "tests.app.process_one", *sys.argv[1:]]
        os.execvp(program[0], program)  # noqa: S606  no shell is needed
