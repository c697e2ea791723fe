"""Places of dependencies that are judged by the results of the work there: a circuit breaker for each.

A place that is down holds back the messages that need it, and one of them tries it now and then.  The first
operation that succeeds there, at any time, closes the breaker.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from orca_daemon.engine.charges import Rules
from orca_daemon.engine.events import BreakerChanged, Observer
from orca_daemon.engine.tally import Tally

Key: TypeAlias = tuple[str, str]
"""A dependency and a place of it."""
Wake: TypeAlias = Callable[[], bool]
"""Lets a message go on; returns False if it does not wait any more."""
MOST = 256
"""Places that are remembered: a deployment has a handful of buckets, a hostile message may name any."""


class Place:
    """One place: its results, and the messages that wait for it.  Only `Places` writes to it."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.tally = Tally()
        self.open_since: float | None = None
        self.trial: str | None = None
        """The message that tries the place while it is down."""
        self.failures = 0
        """Trials that failed in a row."""
        self.due = 0.0
        """When the next trial may begin."""
        self.waiters: tuple[OrderedDict[str, Wake], OrderedDict[str, Wake]] = (OrderedDict(), OrderedDict())
        """Messages that never failed here, and those that did: the former come first, as they prove more."""
        self.without_result: set[str] = set()
        """Messages whose trial had no result: they wait behind those that never failed here."""
        self.timer: asyncio.TimerHandle | None = None

    @property
    def open(self) -> bool:
        """Whether the place is down."""
        return self.open_since is not None

    @property
    def needed(self) -> bool:
        """Whether a message in flight waits for it or tries it."""
        return self.trial is not None or bool(self.tally.waiting) or any(self.waiters)

    def __str__(self) -> str:
        return self.key[1] or self.key[0]


class Places:
    """All places at which something failed lately, least recently used first.

    Written by the tasks of runs, by dispatchers when they begin a run, and by timers; all on the event loop.
    """

    def __init__(self, rules: Rules, *, observe: Observer, rng: random.Random) -> None:
        self._rules = rules
        self._observe = observe
        self._rng = rng
        self._by_key: OrderedDict[Key, Place] = OrderedDict()
        self.down: dict[Key, Place] = {}
        """Those that are down now.  Dispatchers read it for each run."""

    def __len__(self) -> int:
        return len(self._by_key)

    # Results of the work.

    def succeeded(self, message: str, key: Key) -> None:
        """An operation of this message succeeded there; without an earlier failure this changes nothing."""
        place = self._by_key.get(key)
        if place is None:
            return
        place.tally.success(message)
        if place.tally.idle:
            del self._by_key[key]
        else:
            self._by_key.move_to_end(key)
        if place.open:
            # Last, because a message that it wakes may forget the place.
            self._close(place, "an operation succeeded")

    def failed(self, message: str, key: Key, reason: str, *, refused: bool = False) -> Place:
        """An attempt of this message failed there, or was refused."""
        place = self._find_or_make(key)
        down = place.tally.failure(message, self._rules, refused=refused)
        if place.trial == message:
            self._put_off(place, failures=place.failures + 1)
        elif down and not place.open and self._by_key.get(key) is place:
            self._went_down(place, reason)
        return place

    # Admission.

    def any_open(self, keys: Iterable[Key]) -> bool:
        """Whether one of them is down."""
        return any(key in self.down for key in keys)

    def admit(self, message: str, keys: Iterable[Key]) -> Place | None:
        """Return the place that a message has to wait for; None if it may go on, perhaps as a trial."""
        needed = [self.down[key] for key in keys if key in self.down]
        if not needed:
            return None
        now = asyncio.get_running_loop().time()
        busy = next((place for place in needed if place.trial not in {None, message}), None)
        # If one of them is due, the message tries all of them: else two of them could block each other.
        if busy is None and any(place.trial == message or place.due <= now for place in needed):
            for place in needed:
                place.trial = message
            return None
        wanted = busy or min(needed, key=lambda place: place.due)
        for place in needed:
            self._end_trial(place, message)
        return wanted

    def wait(self, place: Place, message: str, wake: Wake, *, tried: bool) -> None:
        """Call `wake` when the place is up again, or when it is this message's turn to try it."""
        place.waiters[tried or message in place.without_result][message] = wake
        self._arm(place)

    def tried(self, message: str) -> None:
        """The attempt of this message is over; if it had no result at its place, others wait on."""
        now = asyncio.get_running_loop().time()
        for place in tuple(self.down.values()):
            if place.trial == message:
                if place.due <= now:
                    self._put_off(place, failures=place.failures)
                    place.without_result.add(message)
                self._end_trial(place, message)
                self._dismiss(place)

    def leave(self, message: str) -> None:
        """The message waits for nothing any more, and tries nothing."""
        for place in tuple(self.down.values()):
            for waiters in place.waiters:
                waiters.pop(message, None)
            place.without_result.discard(message)
            self._end_trial(place, message)
            self._dismiss(place)

    def forget(self, key: Key, message: str) -> None:
        """The message failed there once, and has succeeded since, or has left."""
        if place := self._by_key.get(key):
            place.tally.waiting.discard(message)
            if place.tally.idle and not place.open:
                del self._by_key[key]
            else:
                self._dismiss(place)

    # Up and down.

    def _went_down(self, place: Place, reason: str) -> None:
        place.tally.went_down()
        place.open_since = asyncio.get_running_loop().time()
        self.down[place.key] = place
        self._put_off(place, failures=1)
        self._report(place, reason)

    def _close(self, place: Place, why: str) -> None:
        place.open_since = place.trial = None
        place.without_result.clear()
        del self.down[place.key]
        if place.timer is not None:
            place.timer.cancel()
            place.timer = None
        self._report(place, why)
        for _, wake in _popped(place):
            wake()

    def _dismiss(self, place: Place) -> None:
        """A place that no message needs is not kept down: no message would ever find it up again."""
        if place.open and not place.needed:
            self._close(place, "nothing in flight needs it any more")
            del self._by_key[place.key]

    def _report(self, place: Place, reason: str) -> None:
        dependency, name = place.key
        self._observe(BreakerChanged(dependency, open=place.open, reason=f"{place}: {reason}", place=name))

    def _put_off(self, place: Place, *, failures: int) -> None:
        place.failures = failures
        place.due = asyncio.get_running_loop().time() + self._rules.retry.delay(failures, self._rng)

    def _end_trial(self, place: Place, message: str) -> None:
        if place.trial == message:
            place.trial = None
            self._arm(place)

    def _arm(self, place: Place) -> None:
        """Wake the next message that waits, at the time when the place may be tried."""
        if place.timer is None and place.open and place.trial is None and any(place.waiters):
            place.timer = asyncio.get_running_loop().call_at(place.due, self._turn, place)

    def _turn(self, place: Place) -> None:
        place.timer = None
        for message, wake in _popped(place):
            place.trial = message
            if wake():
                return
            place.trial = None

    # A bounded table.

    def _find_or_make(self, key: Key) -> Place:
        place = self._by_key.get(key)
        if place is None:
            place = Place(key)
            self._evict()
            # If all of them are down, the table is full: this place is judged each time anew.
            if len(self._by_key) < MOST:
                self._by_key[key] = place
        else:
            self._by_key.move_to_end(key)
        return place

    def _evict(self) -> None:
        if len(self._by_key) >= MOST:
            oldest = next((key for key, place in self._by_key.items() if not place.open), None)
            if oldest is not None:
                del self._by_key[oldest]


def _popped(place: Place) -> Iterator[tuple[str, Wake]]:
    """The messages that wait for the place, each taken off its list when its turn comes."""
    for waiters in place.waiters:
        while waiters:
            yield waiters.popitem(last=False)
