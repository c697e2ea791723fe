"""The sizes in which a measurement can run."""

from enum import Enum
from typing import TypeVar

T = TypeVar("T")


class Size(Enum):
    """`FULL` for published figures, `SHORT` for under 45 seconds, `TINY` to check that it runs to its end."""

    FULL = 0
    SHORT = 1
    TINY = 2

    def pick(self, full: T, short: T, tiny: T) -> T:
        """Return the argument for this size."""
        return (full, short, tiny)[self.value]
