"""Exit codes of the process for its supervisor (those of sysexits.h if one fits), and their exception."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `orca-daemon run`, unless a signal kills the process."""

    CLEAN = 0
    BUG = 1
    USAGE = 2
    TASK_DIED = 70
    """One of the engine's own tasks died, or work could not be cancelled: restart the process."""
    DRAIN_RAN_OUT = 75
    """The drain ran out of time; unfinished messages go back to their queues."""
    CONFIGURATION = 78
    """Settings or permissions are wrong; a restart does not fix it."""


class StartConfigurationError(Exception):
    """The daemon cannot start with these settings; the text says why, and what to do."""
