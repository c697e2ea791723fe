"""Delays between two attempts, as functions of values."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential delays with jitter, in seconds."""

    base: float = 1.0
    factor: float = 2.0
    cap: float = 30.0
    floor: float = 0.05
    """Never less, so that jitter cannot make a retry immediate."""
    jitter: float = 1.0
    """The part of a delay that is drawn: 1 draws all of it, 0.5 keeps at least half."""

    def delay(self, attempt: int, rng: random.Random) -> float:
        """Seconds to wait after the `attempt`-th failure, from 1."""
        # The exponent is bounded: attempts are counted for hours, and 2**2000 is no float.
        ceiling = min(self.cap, self.base * self.factor ** min(attempt - 1, 60))
        return max(min(self.floor, ceiling), rng.uniform((1.0 - self.jitter) * ceiling, ceiling))


DEAD_LETTER_RETRY = Backoff(base=1.0, cap=30.0, floor=0.2)
"""Between two attempts to set a message aside: the route's own backoff may have no pauses."""
NOTIFICATION_RETRY = Backoff(base=2.0, factor=4.0, cap=120.0, jitter=0.5)
"""Between two attempts at `gave_up` that fail for its own reasons: five of them take about two minutes."""
WAITING = Backoff(base=1.0, cap=15.0, floor=0.2)
"""Between two attempts of a message that comes before what it needs."""
UNMET = Backoff(base=1.0, cap=60.0, jitter=0.5)
"""Between two attempts that fail at a dependency: about twenty of them in a quarter of an hour."""
