"""The dependencies of all queues, and what follows from a failure there for the message that failed.

A dependency with a probe is probed.  Any other is judged by place, from the results of the work there.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from orca_daemon.engine.backoff import WAITING
from orca_daemon.engine.breaker import Breaker
from orca_daemon.engine.charges import History, Rules, judge
from orca_daemon.engine.circuit import Key, Places
from orca_daemon.engine.errors import DependencyDown, Refused
from orca_daemon.engine.events import BreakerChanged, Cause, Event, Observer
from orca_daemon.engine.in_flight_message import InFlightMessage
from orca_daemon.engine.lanes import Run
from orca_daemon.engine.tally import Tally
from orca_daemon.engine.verdict import REASON_LENGTH, Decision, Next, reason

TAKEN_APART = 2
"""Failures in a row of a run of several messages until it is split, which charges none of them."""
HOUR = 3600.0


class Dependencies:
    """One for all queues of the process, because they depend on the same things.

    Tasks of runs write to it, and each breaker's own task; dispatchers and health checks read it.
    """

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
        self._observe = observe
        self._rng = rng
        self._on_recovery: list[Callable[[], None]] = []
        self._by_place = set(by_place) - probes.keys()
        self.breakers = {
            name: Breaker(name, probe, observe=self._changed, rng=rng, every=rules.probe_every)
            for name, probe in probes.items()
        }
        self.places = Places(rules, observe=observe, rng=rng)

    def on_recovery(self, nudge: Callable[[], None]) -> None:
        """Call `nudge` whenever a dependency that has a probe is up again."""
        self._on_recovery.append(nudge)

    def _changed(self, event: Event) -> None:
        self._observe(event)
        if isinstance(event, BreakerChanged) and not event.open:
            for nudge in self._on_recovery:
                nudge()

    # State.

    def blocked(self, needs: Iterable[str]) -> bool:
        """Whether one of these is down as a whole."""
        # A loop, because a generator costs more than all the rest on the path of every message.
        for name in needs:  # noqa: SIM110  see above
            if name in self.breakers and self.breakers[name].open:
                return True
        return False

    def state(self) -> dict[str, float | None]:
        """Since when each is down, or the first of its places that is; None while it is up."""
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
        for message in messages:
            for key, history in (message.histories or {}).items():
                breaker = self.breakers.get(key[0])
                if key not in self.places.down and not (breaker and breaker.open):
                    yield history.since

    # Before an attempt.

    def hold(self, message: InFlightMessage, wake: Callable[[], bool]) -> bool:
        """Whether the message has to wait for a place that is down; then `wake` is called in time."""
        place = self.places.admit(message.envelope.id, self._keys(message))
        if place is None:
            message.admit()
            return False
        message.hold_for(place)
        self.places.wait(place, message.envelope.id, wake, tried=place.key in (message.histories or ()))
        return True

    def held_back(self, message: InFlightMessage) -> bool:
        """Whether a place that the message needs is down."""
        return self.places.any_open(self._keys(message))

    # During and after it.

    def succeeded(self, run: Run, dependency: str, place: str) -> None:
        """An operation of a run succeeded at a place; the listener of `places.succeeded`."""
        if run.succeeded is None:
            run.succeeded = set()
        run.succeeded.add((dependency, place))
        self.places.succeeded(run.current[0].envelope.id, (dependency, place))

    def done(self, run: Run, needs: Iterable[str]) -> None:
        """The work of a run is durable: what it needed works, and every place where it failed before."""
        first = run.current[0].envelope.id
        for name in needs:
            if (breaker := self.breakers.get(name)) and breaker.watched:
                breaker.tally.success(first)
        for message in run.current:
            # Work need not report each success.  Places that it only declares are left out, as it may not
            # have used them.
            for key in message.histories or ():
                self.places.succeeded(message.envelope.id, key)

    def ended(self, run: Run) -> None:
        """A run has ended, well or not: it tries no place any more."""
        for message in run.current:
            self.places.tried(message.envelope.id)

    async def failed(
        self, run: Run, error: DependencyDown | Refused, *, needs: Iterable[str], most: int
    ) -> Decision | None:
        """Judge a run whose work or notification failed at a dependency; `most` charges end a message.

        Return None if the failure is the run's own.
        """
        if breaker := self.breakers.get(error.dependency):
            if isinstance(error, Refused):
                return None
            return await self._asked(run, error, breaker, needs=needs, most=most)
        self._by_place.add(error.dependency)
        key, refused = (error.dependency, error.place), isinstance(error, Refused)
        place = self.places.failed(run.messages[0].envelope.id, key, reason(error), refused=refused)
        if refused and not place.open:
            return None
        decision = self._judge(run, error, key, place.tally, most)
        return replace(decision, pause=0.0) if place.open else decision

    async def _asked(
        self, run: Run, error: DependencyDown, breaker: Breaker, *, needs: Iterable[str], most: int
    ) -> Decision:
        key = (breaker.name, "")
        if await breaker.report(reason(error)):
            # It is down for every message: neither this failure nor earlier ones count.
            self.forget(run.messages, key)
            return Decision(Next.WAIT, 0.0 if self.blocked(needs) else self.not_yet(run))
        breaker.tally.failure(run.messages[0].envelope.id, self.rules)
        decision = self._judge(run, error, key, breaker.tally, most)
        breaker.watch(decision.pause)
        return decision

    def _judge(
        self, run: Run, error: DependencyDown | Refused, key: Key, tally: Tally, most: int
    ) -> Decision:
        first, now = run.messages[0], asyncio.get_running_loop().time()
        before = (first.histories or {}).get(key)
        standing = tally.standing(first.envelope.id, before.moment if before else tally.moment)
        judgement = judge(before, standing, now=now, rules=self.rules, most=most)
        if len(run.messages) > 1:
            if judgement.history.failures >= TAKEN_APART:
                self.forget(run.messages, key)
                return Decision(Next.SPLIT)
        elif judgement.cause:
            failures, hours = judgement.history.failures, (now - judgement.history.since) / HOUR
            observed = (
                "it worked for others" if judgement.cause is Cause.ATTEMPTS else "nobody else needed it"
            )
            where = key[1] or key[0]
            why = f"{where} failed {failures} times in {hours:.1f} hours, while {observed}: {error.reason}"
            return Decision(
                Next.DEAD_LETTER, charges=failures, cause=judgement.cause, reason=why[:REASON_LENGTH]
            )
        self._remember(run.messages, key, tally, judgement.history)
        return Decision(Next.WAIT, self.rules.retry.delay(judgement.history.failures, self._rng))

    def not_yet(self, run: Run) -> float:
        """Seconds until the run, which came too early or cannot be judged, is tried again."""
        for message in run.messages:
            message.came_too_early(alone=len(run.messages) == 1)
        return WAITING.delay(max(message.not_yet_count for message in run.messages), self._rng)

    def cleared(self, run: Run, error: BaseException | None) -> None:
        """Forget failures at places where the run has now succeeded, except the one where it failed."""
        failed = (error.dependency, error.place) if isinstance(error, DependencyDown | Refused) else None
        for key in run.succeeded or ():
            if key != failed:
                self.forget(run.messages, key)

    # Histories.

    @staticmethod
    def _remember(messages: Sequence[InFlightMessage], key: Key, tally: Tally, history: History) -> None:
        for message in messages:
            message.failed_at(key, history, alone=len(messages) == 1)
            tally.waiting.add(message.envelope.id)

    def forget(self, messages: Iterable[InFlightMessage], key: Key) -> None:
        """Forget the failures of these messages at a place."""
        for message in messages:
            if not message.forget(key):
                continue
            if breaker := self.breakers.get(key[0]):
                breaker.tally.waiting.discard(message.envelope.id)
            else:
                self.places.forget(key, message.envelope.id)

    def forget_message(self, message: InFlightMessage) -> None:
        """Forget all failures of a message: it is not in flight any more, or is given up."""
        for key in tuple(message.histories or ()):
            self.forget((message,), key)
        if message.waits_for is not None:
            message.admit()
            self.places.leave(message.envelope.id)

    @staticmethod
    def _keys(message: InFlightMessage) -> Iterable[Key]:
        # If it is given up, its work needs nothing; what its notification needs is known by failures only.
        needs = message.needs if message.dead_letter_reason is None else set()
        return (message.histories or {}).keys() | needs
