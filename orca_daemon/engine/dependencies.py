"""What the work of all queues depends on, and what a failure there means for the message that met it.

A dependency with a probe is asked.  Any other is judged by place, from what the work meets there.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orca_daemon.engine.backoff import WAITING
from orca_daemon.engine.breaker import Breaker
from orca_daemon.engine.charges import History, Rules, judge
from orca_daemon.engine.circuit import Key, Places
from orca_daemon.engine.errors import DependencyDown, Refused
from orca_daemon.engine.events import Observer
from orca_daemon.engine.in_flight_message import InFlightMessage
from orca_daemon.engine.lanes import Run
from orca_daemon.engine.tally import Tally
from orca_daemon.engine.verdict import REASON_LENGTH, Next, reason

TAKEN_APART = 2
"""Failures in a row of a run of several until it is taken apart: that charges nobody."""
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is to be done with a run that failed at a dependency.

    `next` is None where the failure is the run's own.  `pause` is in seconds; 0 where a dependency that is
    down holds the run back anyway.  The rest is set where the message is to be dead-lettered.
    """

    next: Next | None
    pause: float = 0.0
    cause: str = ""
    failures: int = 0
    why: str = ""


class Dependencies:
    """One for all queues of the process, as they depend on the same things."""

    def __init__(
        self,
        probes: Mapping[str, Callable[[], Awaitable[None]]],
        by_place: Iterable[str],
        *,
        rules: Rules,
        observe: Observer,
        rng: random.Random,
    ) -> None:
        self.rules = rules
        self._rng = rng
        self._by_place = set(by_place) - probes.keys()
        self.breakers = {
            name: Breaker(name, probe, observe=observe, rng=rng, every=rules.probe_every)
            for name, probe in probes.items()
        }
        self.places = Places(rules, observe=observe, rng=rng)

    # Looking in.

    def blocked(self, needs: Iterable[str]) -> bool:
        """Whether one of these is down as a whole."""
        return any(self.breakers[name].open for name in needs if name in self.breakers)

    def state(self) -> dict[str, float | None]:
        """Since when each is down, or the first of its places that are; None while it is up."""
        since: dict[str, float | None] = {name: breaker.open_since for name, breaker in self.breakers.items()}
        since |= dict.fromkeys(self._by_place)
        for place in self.places.down.values():
            name, earlier = place.key[0], since.get(place.key[0])
            since[name] = place.open_since if earlier is None else min(earlier, place.open_since or earlier)
        return since

    def places_down(self) -> dict[str, tuple[str, ...]]:
        """The places that are down, by dependency."""
        down: dict[str, tuple[str, ...]] = {}
        for name, place in sorted(self.places.down):
            down[name] = (*down.get(name, ()), place)
        return down

    def unproven(self, messages: Iterable[InFlightMessage]) -> Iterator[float]:
        """Since when messages have failed at a dependency that is not known to be down."""
        for held in messages:
            for key, history in (held.histories or {}).items():
                breaker = self.breakers.get(key[0])
                if key not in self.places.down and not (breaker and breaker.open):
                    yield history.since

    # Before an attempt.

    def hold(self, held: InFlightMessage, wake: Callable[[], bool]) -> bool:
        """Whether the message has to wait for a place that is down; then `wake` is called in time."""
        place = self.places.admit(held.envelope.id, self._keys(held))
        if place is None:
            held.waits_for = None
            return False
        held.waits_for = place
        self.places.wait(place, held.envelope.id, wake, tried=place.key in (held.histories or ()))
        return True

    def held_back(self, held: InFlightMessage) -> bool:
        """Whether a place that the message needs is down."""
        return self.places.any_open(self._keys(held))

    # During and after it.

    def succeeded(self, run: Run, dependency: str, place: str) -> None:
        """An operation of a run succeeded at a place; the listener of `places.succeeded`."""
        if run.succeeded is None:
            run.succeeded = set()
        run.succeeded.add((dependency, place))
        self.places.succeeded(run.messages[0].envelope.id, (dependency, place))

    def done(self, run: Run, needs: Iterable[str]) -> None:
        """The work of a run is durable: what it needed works, and so does what it failed at before."""
        message = run.messages[0].envelope.id
        for name in needs:
            if (breaker := self.breakers.get(name)) and breaker.watched:
                breaker.tally.success(message)
        for held in run.messages:
            # For work that does not report each success.  What it only declares it may not have used.
            for key in held.histories or ():
                self.places.succeeded(held.envelope.id, key)

    def ended(self, run: Run) -> None:
        """A run has ended, however: it tries nothing any more."""
        for held in run.messages:
            self.places.tried(held.envelope.id)

    async def failed(
        self, run: Run, error: DependencyDown | Refused, *, needs: Iterable[str], most: int
    ) -> Ruling:
        """Judge a run that could not do its work, or not tell of its end; `most` charges end a message."""
        if breaker := self.breakers.get(error.dependency):
            if isinstance(error, Refused):
                return Ruling(None)
            return await self._asked(run, error, breaker, needs=needs, most=most)
        self._by_place.add(error.dependency)
        key, refused = (error.dependency, error.place), isinstance(error, Refused)
        place = self.places.failed(run.messages[0].envelope.id, key, reason(error), refused=refused)
        if refused and not place.open:
            return Ruling(None)
        ruling = self._judge(run, error, key, place.tally, most)
        return replace(ruling, pause=0.0) if place.open else ruling

    async def _asked(
        self, run: Run, error: DependencyDown, breaker: Breaker, *, needs: Iterable[str], most: int
    ) -> Ruling:
        key = (breaker.name, "")
        if await breaker.report(reason(error)):
            # While it is down nothing counts, before and after.
            self.forget(run.messages, key)
            return Ruling(Next.WAIT, 0.0 if self.blocked(needs) else self.not_yet(run))
        breaker.tally.failure(run.messages[0].envelope.id, self.rules)
        ruling = self._judge(run, error, key, breaker.tally, most)
        breaker.watch(ruling.pause)
        return ruling

    def _judge(self, run: Run, error: DependencyDown | Refused, key: Key, tally: Tally, most: int) -> Ruling:
        first, now = run.messages[0], asyncio.get_running_loop().time()
        before = (first.histories or {}).get(key)
        standing = tally.standing(first.envelope.id, before.moment if before else tally.moment)
        judgement = judge(before, standing, now=now, rules=self.rules, most=most)
        if len(run.messages) > 1:
            if judgement.history.failures >= TAKEN_APART:
                self.forget(run.messages, key)
                return Ruling(Next.SPLIT)
        elif judgement.cause:
            failures, hours = judgement.history.failures, (now - judgement.history.since) / HOUR
            observed = "it worked for others" if judgement.cause == "attempts" else "nobody else needed it"
            where = key[1] or key[0]
            why = f"{where} failed {failures} times in {hours:.1f} hours, while {observed}: {error.reason}"
            return Ruling(Next.DEAD_LETTER, cause=judgement.cause, failures=failures, why=why[:REASON_LENGTH])
        self._remember(run.messages, key, tally, judgement.history)
        return Ruling(Next.WAIT, self.rules.retry.delay(judgement.history.failures, self._rng))

    def not_yet(self, run: Run) -> float:
        """Seconds until the run, which came too early or cannot be judged, is tried again."""
        for held in run.messages:
            held.not_yet_count += 1
        return WAITING.delay(max(held.not_yet_count for held in run.messages), self._rng)

    def cleared(self, run: Run, error: BaseException | None) -> None:
        """Forget where the run failed earlier and has now succeeded, unless it failed there all the same."""
        failed = (error.dependency, error.place) if isinstance(error, DependencyDown | Refused) else None
        for key in run.succeeded or ():
            if key != failed:
                self.forget(run.messages, key)

    # Memory.

    @staticmethod
    def _remember(messages: Sequence[InFlightMessage], key: Key, tally: Tally, history: History) -> None:
        for held in messages:
            held.histories = {**(held.histories or {}), key: history}
            tally.waiting.add(held.envelope.id)

    def forget(self, messages: Iterable[InFlightMessage], key: Key) -> None:
        """These messages have met nothing at a place."""
        for held in messages:
            if not held.histories or held.histories.pop(key, None) is None:
                continue
            if breaker := self.breakers.get(key[0]):
                breaker.tally.waiting.discard(held.envelope.id)
            else:
                self.places.forget(key, held.envelope.id)

    def forget_message(self, held: InFlightMessage) -> None:
        """A message is no longer in hand."""
        for key in tuple(held.histories or ()):
            self.forget((held,), key)
        if held.waits_for is not None:
            held.waits_for = None
            self.places.leave(held.envelope.id)

    @staticmethod
    def _keys(held: InFlightMessage) -> Iterable[Key]:
        # Once it is given up its work needs nothing, and what telling needs shows only by failing.
        return (held.histories or {}).keys() | (held.needs if held.dead_letter_reason is None else set())
