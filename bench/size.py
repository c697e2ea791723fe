"""How much a measurement measures."""

from enum import Enum
from typing import TypeVar

T = TypeVar("T")


class Size(Enum):
    """`FULL` for figures that are published, `SHORT` in under 45 seconds, `TINY` to see that it runs."""

    FULL = 0
    SHORT = 1
    TINY = 2

    def pick(self, full: T, short: T, tiny: T) -> T:
        """The one of three values that is for this size."""
        return (full, short, tiny)[self.value]
