"""One random history, drawn from a seed: what is sent, how the work goes, which faults strike and when."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.charges import Rules

SCALED = Rules(
    spread=45.0,
    patience=150.0,
    longest_wait=400.0,
    longest_lease=600.0,
    retry=Backoff(base=0.5, cap=5.0, jitter=0.5),
    probe_every=1.0,
)
"""The engine's rules with minutes for hours."""
PLACES = ("a", "b")
"""Parts of the second dependency of the work, which is judged by place."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One message: when it is sent, to which group, and how each attempt at it goes (the last goes on)."""

    id: str
    group: str
    at: float
    script: tuple[str, ...]
    decodes: bool = True
    place: str = ""
    """The place that its work needs; empty for none."""
    declared: bool = False
    """Whether that is known before the work."""
    large: bool = False
    """Whether its dead letter is larger than the dead-letter queue takes."""
    unspeakable: bool = False
    """Whether nobody can ever be told of its end."""
    unkept: bool = False
    """Whether the queue refuses to extend its leases."""

    @property
    def healthy(self) -> bool:
        """Whether every attempt at it succeeds, where nothing else fails."""
        return self.decodes and set(self.script) <= {"ok", "slow", "stall", "early", "stubborn"}

    @property
    def doomed(self) -> bool:
        """Whether no attempt at it can succeed in the end."""
        return not self.decodes or self.script[-1] in DOOM


DOOM = frozenset({"fail", "reject", "hang", "suspect", "long", "spoil", "denied"})
"""Steps that cannot succeed."""


LONG = 200.0
"""Seconds of work that is long: more than an attempt may take, except where attempts may."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A place does not do its work for some time: `down`, `denied` or `slow`, for a part of what is asked."""

    place: str
    start: float
    end: float
    kind: str
    share: float


@dataclass(frozen=True, slots=True)
class Life:
    """One life of the daemon: how long, and how it ends (`stop` or `kill`)."""

    seconds: float
    end: str
    turn: int | None = None
    """The turn of its loop after which a kill strikes, if not at its time: between any two awaits."""


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
    deaf_world: float = 0.0
    """Of `gave_up`."""
    silent: float = 0.0
    """A receive that never answers, before or after it had its effect."""
    lying: float = 0.0
    """An answer that is none."""

    @property
    def none(self) -> bool:
        """Whether nothing goes wrong by itself."""
        return not any(
            (
                self.lost_answer,
                self.refused,
                self.partial,
                self.throttled,
                self.slow,
                self.duplicate,
                self.silent,
                self.lying,
            )
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
    pauses: tuple[tuple[float, float], ...] = field(default=())
    """When an operator holds the intake, from and to."""
    dead_letter: bool = True
    """Whether the queue has a dead-letter queue."""
    jumps: tuple[tuple[float, float], ...] = field(default=())
    """When the wall clock jumps, and by how much.  It must not matter, so this disturbs nothing."""
    sleeps: tuple[tuple[float, float], ...] = field(default=())
    """When the machine is suspended, and for how long: time goes on for the queue, and not for the daemon."""
    faults: tuple[Fault, ...] = field(default=())
    """When places do not do their work."""
    no_extensions: tuple[tuple[float, float], ...] = field(default=())
    """When the queue refuses to extend leases, and nothing else."""
    no_deletes: tuple[tuple[float, float], ...] = field(default=())
    """When it refuses deletes, and nothing else."""
    at_limit: tuple[tuple[float, float], ...] = field(default=())
    """When its receives come back empty at once."""
    pipelined: bool = False
    """Whether the next message of a group begins before the delete of the one before it."""
    held: int = 12
    """Messages in flight at most."""
    held_bytes: int = 10_000
    """Bytes of bodies in flight at most, as far as the sizes of what comes are known."""
    ahead: bool = False
    """Whether messages are received while all slots are at work."""
    time_limit: float = 40.0
    """Seconds that one attempt may take."""
    rules: Rules = SCALED

    @property
    def well_connected(self) -> bool:
        """Whether every call to the queue has its effect and its answer."""
        unkept = self.no_extensions or any(sending.unkept for sending in self.sendings)
        return self.rates.none and not unkept and not self.no_deletes

    @property
    def undisturbed(self) -> bool:
        """Whether nothing but the messages themselves can go wrong."""
        disturbed = self.lives or self.outages or self.sleeps or self.faults or self.at_limit
        return self.well_connected and not disturbed and self.dead_letter

    @property
    def staying(self) -> frozenset[str]:
        """Without a dead-letter queue: what can never leave, being doomed or behind what is in its group."""
        stay: set[str] = set()
        blocked: set[str] = set()
        for sending in () if self.dead_letter else sorted(self.sendings, key=lambda one: one.at):
            in_time = sending.decodes and sending.script[-1] == "long" and self.time_limit > LONG
            if (sending.doomed and not in_time) or (self.fifo and sending.group in blocked):
                stay.add(sending.id)
                blocked.add(sending.group)
        return frozenset(stay)


def draw(seed: int) -> History:
    """The history of a seed."""
    rng = random.Random(seed)
    fifo = rng.random() < 0.7
    calm = rng.random() < 0.25
    groups = rng.choice((1, 1, 2, 5))
    merge = fifo and rng.random() < 0.5
    history = History(
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
    return _by_number(_ending(_harder(history, rng, calm=calm)))


def _by_number(history: History) -> History:
    """What was thought of last, by the seed's number, so that the other seeds keep their histories."""
    pipelined = history.seed % 4 == 3
    batch = 1 if pipelined else history.batch
    ahead = batch == 1 and history.seed % 2 == 1
    few_bytes = 18 if history.seed % 5 == 4 else history.held_bytes
    return replace(
        history,
        batch=batch,
        ahead=ahead,
        held=24 if ahead else 12,
        pipelined=pipelined,
        held_bytes=few_bytes,
    )


def _ending(history: History) -> History:
    """Messages that hang by turns outlast their deliveries, again and again: let that not be for days."""
    if sum("hang" in one.script for one in history.sendings) < 2:
        return history
    return replace(history, max_receives=min(history.max_receives, 10))


def _harder(history: History, rng: random.Random, *, calm: bool) -> History:
    """What was thought of later, drawn after everything else, so that seeds keep their histories."""
    sendings = tuple(
        replace(
            sending,
            script=(rng.choice(("early", "early", "cancelled")),) * rng.randint(1, 3) + sending.script,
        )
        if rng.random() < 0.05
        else sending
        for sending in history.sendings
    )
    start = rng.uniform(0, 60)
    dead_letter = rng.random() > 0.06
    if not dead_letter:
        # What may succeed does so in the end: then it is known what is left.
        sendings = tuple(
            sending if sending.doomed and "ok" not in sending.script else _with_good_end(sending)
            for sending in sendings
        )
    history = replace(
        history,
        sendings=sendings,
        rates=history.rates if calm else replace(history.rates, deaf_world=rng.choice((0.0, 0.5))),
        pauses=((start, start + rng.choice((1.0, 30.0, 300.0))),) if rng.random() < 0.2 else (),
        dead_letter=dead_letter,
    )
    return _stranger(history, rng, calm=calm)


def _stranger(history: History, rng: random.Random, *, calm: bool) -> History:
    """Clocks that jump, machines that sleep, kills at any await; also on a network that is good."""
    history = replace(
        history,
        lives=tuple(replace(life, turn=_turn(rng)) if life.end == "kill" else life for life in history.lives),
        jumps=tuple(
            (rng.uniform(0, 60), rng.choice((-3600.0, 3600.0))) for _ in range(rng.choice((0, 1, 2)))
        ),
        sleeps=((rng.uniform(0, 20), rng.choice((5.0, 40.0, 300.0))),)
        if not calm and rng.random() < 0.2
        else (),
        rates=Rates() if rng.random() < 0.15 else history.rates,
    )
    return _crueller(history, rng, calm=calm)


def _crueller(history: History, rng: random.Random, *, calm: bool) -> History:
    """Places that fail by halves and for long, ends that cannot be told, queues that lie or say nothing."""
    history = _with_places(history, rng, calm=calm) if rng.random() < 0.4 else history
    if history.dead_letter and history.max_receives < 100 and rng.random() < 0.15:
        sendings = tuple(replace(one, large=one.doomed and rng.random() < 0.5) for one in history.sendings)
        history = replace(history, sendings=sendings)
    if history.dead_letter and rng.random() < 0.15:
        sendings = tuple(
            replace(one, unspeakable=one.doomed and rng.random() < 0.5) for one in history.sendings
        )
        history = replace(history, sendings=sendings)
    if calm:
        return history
    if history.max_receives <= 10 and rng.random() < 0.15:
        history = _with_long_work(history, rng)
    history = _with_lost_leases(history, rng) if rng.random() < 0.3 else history
    return replace(
        history,
        rates=replace(
            history.rates,
            silent=rng.choice((0.0, 0.0, 0.0, 0.05)),
            lying=rng.choice((0.0, 0.0, 0.0, 0.2)),
        )
        if not history.rates.none
        else history.rates,
        max_receives=rng.choice((1, 2)) if rng.random() < 0.08 else history.max_receives,
        no_extensions=_window(rng, 0.15, (20.0, 100.0, 300.0)),
        no_deletes=_window(rng, 0.15, (20.0, 100.0, 300.0)),
        at_limit=_window(rng, 0.1, (20.0, 100.0)),
    )


def _with_long_work(history: History, rng: random.Random) -> History:
    """Attempts so long that the delivery may end before they do."""
    sendings = tuple(
        replace(one, script=("hang",)) if one.doomed and rng.random() < 0.5 else one
        for one in history.sendings
    )
    return replace(history, sendings=sendings, time_limit=250.0)


def _with_lost_leases(history: History, rng: random.Random) -> History:
    """Deliveries that overlap: leases that cannot be kept, work that goes on, redeliveries by the dozen."""
    sendings = tuple(
        replace(
            one,
            script=("stubborn",) * rng.randint(1, 2) + one.script
            if one.healthy and rng.random() < 0.4
            else one.script,
            unkept=rng.random() < 0.3,
        )
        for one in history.sendings
    )
    if history.fifo:
        return replace(history, sendings=sendings, lease=12.0, batch=max(history.batch, 3))
    # Few messages, that each of them is delivered often; a clock that is right, that it can be said when.
    sendings = tuple(one for one in sendings if "stall" not in one.script)[:8] or sendings[:1]
    rates = Rates(duplicate=0.3, slow=rng.choice((0.0, 0.5)))
    lives = (Life(rng.uniform(40, 120), rng.choice(("stop", "stop", "kill"))),)
    return replace(
        history, sendings=sendings, rates=rates, sleeps=(), lives=lives, lease=12.0, wait=1.0, concurrency=4
    )


def _window(rng: random.Random, chance: float, lengths: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    start, length, happens = rng.uniform(0, 30), rng.choice(lengths), rng.random() < chance
    return ((start, start + length),) if happens else ()


def _with_places(history: History, rng: random.Random, *, calm: bool) -> History:
    declared = rng.random() < 0.5
    places = PLACES if rng.random() < 0.5 else PLACES[:1]
    sendings = tuple(
        _placed(sending, rng, places, declared=declared) if rng.random() < 0.8 else sending
        for sending in history.sendings
    )
    # Those that wait for each other are given back again and again: let that not be for days.
    history = replace(history, sendings=sendings, max_receives=min(history.max_receives, 4))
    if calm:
        return history
    faults = tuple(
        Fault(
            place,
            start := rng.uniform(0, 10),
            start + rng.choice((30.0, 200.0, 600.0)),
            rng.choice(("down", "down", "denied", "slow")),
            rng.choice((1.0, 1.0, 0.5, 0.1)),
        )
        for place in places
        if rng.random() < 0.7
    )
    return replace(history, faults=faults)


def _placed(sending: Sending, rng: random.Random, places: Sequence[str], *, declared: bool) -> Sending:
    script = sending.script
    if rng.random() < 0.08:
        script = rng.choice((("spoil",), ("spoil",), ("denied",), ("spoil", "spoil", "ok")))
    return replace(sending, place=rng.choice(places), declared=declared, script=script)


def _turn(rng: random.Random) -> int | None:
    return rng.choice((None, rng.randint(1, 100), rng.randint(1, 1000)))


def _with_good_end(sending: Sending) -> Sending:
    return replace(sending, script=(*sending.script, "ok"))


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
