"""Decisions of the engine, as functions of values."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential delays with full jitter, in seconds."""

    base: float = 1.0
    factor: float = 2.0
    cap: float = 30.0
    floor: float = 0.05
    """Never less, so that jitter cannot make a retry immediate."""

    def delay(self, attempt: int, rng: random.Random) -> float:
        """Seconds to wait after the `attempt`-th failure, from 1."""
        # The exponent is bounded: attempts are counted for hours, and 2**2000 is no float.
        ceiling = min(self.cap, self.base * self.factor ** min(attempt - 1, 60))
        return max(min(self.floor, ceiling), rng.uniform(0.0, ceiling))


BURYING = Backoff(base=1.0, cap=30.0, floor=0.2)
"""Between two attempts to set a message aside: the route's own backoff may be none at all."""
WAITING = Backoff(base=1.0, cap=15.0, floor=0.2)
"""Between two looks for something that is still to come."""
