"""Executes another program, to which the kernel sends a stop signal when the process that started it dies.

It is a script, because a `preexec_fn` would run Python code in a fork of a process with threads.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, linux/prctl.h


def command(
    program: Sequence[str], *, stop_with: signal.Signals, account: tuple[int, int] | None = None
) -> list[str]:
    """The command line that starts `program` so that it stops when this process dies.

    Args:
        program: the command line to execute.
        stop_with: the signal that it gets when this process ends for any reason.
        account: user and group id to run as; only root may give one.
    """
    uid, gid = account or (-1, -1)
    script = [sys.executable, "-I", "-S", __file__]
    return [*script, str(os.getpid()), str(int(stop_with)), str(uid), str(gid), *program]


def main(parent: int, stop_with: int, uid: int, gid: int, program: list[str]) -> None:
    """Ask the kernel for the signal and execute the program."""
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # Call prctl after setuid, which clears the setting.
        ctypes.CDLL(None, use_errno=True).prctl(_SET_PARENT_DEATH_SIGNAL, stop_with, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)
    os.execv(program[0], program)  # noqa: S606  no shell is needed


if __name__ == "__main__":
    _parent, _signal, _uid, _gid = map(int, sys.argv[1:5])
    main(_parent, _signal, _uid, _gid, sys.argv[5:])
