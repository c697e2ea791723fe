"""What the exit code of the process says to its supervisor (sysexits.h, where it has a word for it)."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; a process that a signal killed has none of these."""

    CLEAN = 0
    BUG = 1
    USAGE = 2
    TASK_DIED = 70
    """One of the engine's own tasks died, or work could not be stopped: start anew."""
    DRAIN_RAN_OUT = 75
    """The time for the drain was over before the work was; the rest is on its queues."""
    CONFIGURATION = 78
    """Settings or permissions are wrong; starting again cannot mend it."""


class StartConfigurationError(Exception):
    """Something outside is not as the settings say; the text says which, and what to do."""
