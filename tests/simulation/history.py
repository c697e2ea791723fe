"""One random history, drawn from a seed: what is sent, how the work goes, which faults strike and when."""

import random
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sending:
    """One message: when it is sent, to which group, and how each attempt at it goes (the last goes on)."""

    id: str
    group: str
    at: float
    script: tuple[str, ...]
    decodes: bool = True

    @property
    def healthy(self) -> bool:
        """Whether every attempt at it succeeds."""
        return self.decodes and set(self.script) <= {"ok", "slow", "stall"}


@dataclass(frozen=True, slots=True)
class Life:
    """One life of the daemon: how long, and how it ends (`stop` or `kill`)."""

    seconds: float
    end: str


@dataclass(frozen=True, slots=True)
class Rates:
    """Probability of each fault, per call."""

    lost_answer: float = 0.0
    refused: float = 0.0
    partial: float = 0.0
    throttled: float = 0.0
    slow: float = 0.0
    duplicate: float = 0.0
    dead_letter_down: float = 0.0

    @property
    def none(self) -> bool:
        """Whether nothing goes wrong by itself."""
        return not any(
            (self.lost_answer, self.refused, self.partial, self.throttled, self.slow, self.duplicate)
        )


@dataclass(frozen=True, slots=True)
class History:
    """Everything that is decided before the history starts."""

    seed: int
    fifo: bool
    batch: int
    merge: bool
    concurrency: int
    pollers: int
    lease: float
    wait: float
    max_receives: int
    max_attempts: int
    drain_seconds: float
    sendings: tuple[Sending, ...]
    lives: tuple[Life, ...]
    rates: Rates
    outages: tuple[tuple[float, float], ...] = field(default=())
    """When the dependency of the work is down, from and to."""

    @property
    def undisturbed(self) -> bool:
        """Whether nothing but the messages themselves can go wrong."""
        return self.rates.none and not self.lives and not self.outages


def draw(seed: int) -> History:
    """The history of a seed."""
    rng = random.Random(seed)
    fifo = rng.random() < 0.7
    calm = rng.random() < 0.25
    groups = rng.choice((1, 1, 2, 5))
    merge = fifo and rng.random() < 0.5
    return History(
        seed=seed,
        fifo=fifo,
        batch=rng.choice((1, 3, 10, 25)) if fifo else rng.choice((1, 1, 1, 5)),
        merge=merge,
        concurrency=rng.choice((1, 2, 4)),
        pollers=rng.choice((1, 2, 4)),
        lease=rng.choice((12.0, 30.0, 120.0)),
        wait=rng.choice((1.0, 5.0, 10.0)),
        max_receives=rng.choice((4, 10, 1000)),
        max_attempts=rng.choice((1, 3, 5)),
        drain_seconds=rng.choice((0.0, 5.0, 50.0)),
        sendings=tuple(_sending(rng, number, groups, calm=calm) for number in range(rng.randint(1, 30))),
        lives=() if calm else tuple(_life(rng) for _ in range(rng.choice((0, 1, 1, 2, 4)))),
        rates=Rates() if calm else _rates(rng),
        outages=() if calm else _outages(rng),
    )


def _sending(rng: random.Random, number: int, groups: int, *, calm: bool) -> Sending:
    at = 0.0 if rng.random() < 0.6 else rng.uniform(0, 60)
    return Sending(
        id=f"m{number:02d}",
        group=f"g{rng.randrange(groups)}",
        at=at,
        script=_script(rng, calm=calm),
        decodes=rng.random() > 0.05,
    )


def _script(rng: random.Random, *, calm: bool) -> tuple[str, ...]:
    draw_one = rng.random()
    if draw_one < 0.75:
        return (rng.choice(("ok", "ok", "slow")),)
    if draw_one < 0.83:
        return ("reject",)
    if draw_one < 0.93:
        return tuple(rng.choice(("fail", "ok")) for _ in range(rng.randint(1, 4)))
    if calm:
        return ("fail",)
    return rng.choice((("hang",), ("suspect",), ("suspect", "ok"), ("fail",), ("stall", "ok"), ("long",)))


def _life(rng: random.Random) -> Life:
    return Life(rng.choice((rng.uniform(0, 3), rng.uniform(0, 40))), rng.choice(("stop", "kill")))


def _rates(rng: random.Random) -> Rates:
    def some(most: float) -> float:
        return rng.choice((0.0, 0.0, rng.uniform(0, most)))

    return Rates(
        lost_answer=some(0.2),
        refused=some(0.3),
        partial=some(0.4),
        throttled=some(0.3),
        slow=some(0.3),
        duplicate=some(0.2),
        dead_letter_down=some(0.6),
    )


def _outages(rng: random.Random) -> tuple[tuple[float, float], ...]:
    if rng.random() < 0.7:
        return ()
    start = rng.uniform(0, 30)
    return ((start, start + rng.choice((2.0, 60.0, 3600.0))),)
