"""Opens the pipes through which rows reach DuckDB and PyArrow."""

import fcntl
import os
from contextlib import suppress

PIPE_SIZE = 1 << 20
"""Bytes that a pipe holds, if this user may have so much."""


def large_pipe() -> tuple[int, int]:
    """The descriptors for reading and for writing."""
    inlet, outlet = os.pipe()
    if set_size := getattr(fcntl, "F_SETPIPE_SZ", None):
        with suppress(OSError):  # above the limit of this user: the default size works, but is slower
            fcntl.fcntl(outlet, set_size, PIPE_SIZE)
    return inlet, outlet
