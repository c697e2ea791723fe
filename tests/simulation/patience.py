"""Promises of waiting: pauses between attempts, places that are down, messages that fail alone."""

from collections import defaultdict
from collections.abc import Callable, Iterator

from tests.simulation.history import Fault, Sending
from tests.simulation.outcome import Outcome
from tests.simulation.record import Entry

SHORTEST = 0.05
"""Seconds: no pause is shorter."""
ROUNDING = 1e-6
UNMET = {"DependencyDown store", "Refused store"}
"""How attempts end that failed at a place."""
RECOVERY = 120.0
"""Seconds after the end of a fault in which everything that waited for it is done."""


def i26_pauses(outcome: Outcome) -> Iterator[str]:
    """What failed is not tried again at once, and an empty queue that does not wait is not asked at once."""
    failed: dict[tuple[int, str], float] = {}
    for entry in outcome.record.of("begin", "end"):
        for name in entry.ids:
            if entry.what == "end" and len(entry.ids) == 1 and entry.facts["error"] == "ValueError":
                failed[entry.life, name] = entry.at
            elif entry.what == "begin":
                pause = entry.at - failed.pop((entry.life, name), entry.at - SHORTEST)
                if pause < SHORTEST - ROUNDING:
                    yield f"{name} was tried again {pause:.3f} s after it failed"
    if outcome.history.pollers == 1:
        yield from _hasty_polls(outcome)


def _hasty_polls(outcome: Outcome) -> Iterator[str]:
    asked = earliest = 0.0
    for entry in outcome.record.of("receive", "received", "unreceived", "killed", "drained"):
        if entry.what == "receive":
            if entry.at < earliest - ROUNDING:
                yield f"a receive at {entry.at:.3f}, before {earliest:.3f}"
            asked = entry.at
        earliest = 0.0
        if entry.what == "unreceived":
            earliest = entry.at + SHORTEST
        elif entry.what == "received" and not entry.facts["receipts"] and entry.at < asked + 1.0:
            earliest = asked + 1.0


def i27_half_open(outcome: Outcome) -> Iterator[str]:
    """A place that is down is tried by one message at a time, with pauses that grow."""
    cap = outcome.history.rules.retry.cap / 2
    for life, place, start, end in outcome.downs:
        tried = [
            entry
            for entry in outcome.record.of("begin")
            if entry.life == life and start < entry.at < end and _knows(outcome, entry, place)
        ]
        if len(tried) > 6 + (end - start) / cap:
            yield f"{len(tried)} attempts at {place} in {end - start:.0f} s"


def _knows(outcome: Outcome, entry: Entry, place: str) -> bool:
    """Whether it was known before the attempt that the message needs the place: of this delivery."""
    sending = outcome.sending(entry.ids[0])
    if len(entry.ids) > 1 or sending.place != place:
        return False
    return sending.declared or any(
        one.facts["error"] in UNMET
        for one in outcome.record.of("end")
        if one.facts["receipts"] == entry.facts["receipts"] and one.at < entry.at
    )


def i28_places_come_back(outcome: Outcome) -> Iterator[str]:
    """When a place works again, what waited for it goes on by itself, and soon."""
    history = outcome.history
    if history.fifo or history.lives or history.outages or history.pauses or outcome.clock_is_off:
        return
    if not history.well_connected or history.at_limit:
        return
    commits = {name: entry.at for entry in outcome.record.of("commit") for name in entry.ids}
    for fault in history.faults:
        for name in _waiting_at_the_end(outcome, fault):
            if commits.get(name, 0.0) > fault.end + RECOVERY or name not in commits:
                yield f"{name}: {fault.place} works since {fault.end:.1f}, done at {commits.get(name)}"


def _waiting_at_the_end(outcome: Outcome, fault: Fault) -> set[str]:
    """Healthy messages that failed at the place and were in hand at the end of its fault."""
    others = [one for one in outcome.history.faults if one is not fault and one.place == fault.place]
    failed = {
        name
        for entry in outcome.record.of("end")
        for name in entry.ids
        if entry.at < fault.end and entry.facts["error"] in UNMET
    }
    healthy = {one.id for one in outcome.history.sendings if one.healthy and one.place == fault.place}
    gone = {one.delivery.name for one in outcome.holdings if one.until < fault.end}
    return set() if others else (failed & healthy) - gone


def i29_unproven(outcome: Outcome) -> Iterator[str]:
    """Only what failed alone, for as long as patience lasts, is dead-lettered as unproven; and then it is."""
    rules = outcome.history.rules
    first: dict[tuple[int, str], float] = {}
    waiting: dict[int, set[str]] = defaultdict(set)
    for entry in outcome.record.of("end", "left"):
        for name in entry.ids:
            if entry.what == "end" and entry.facts["error"] in UNMET:
                first.setdefault((entry.life, name), entry.at)
                # One that is refused may be at fault itself, and says nothing of the place.
                if len(entry.ids) == 1 and entry.facts["error"].startswith("DependencyDown"):
                    waiting[entry.life].add(name)
            elif entry.what == "end":
                waiting[entry.life].discard(name)
            elif entry.facts["cause"] == "unproven" and (entry.life, name) in first:
                since, place = first[entry.life, name], outcome.sending(name).place
                others = {one for one in waiting[entry.life] - {name} if outcome.sending(one).place == place}
                if entry.at - since < rules.patience or others:
                    yield f"{name} at {entry.at:.1f}, since {since:.1f}, beside {sorted(others)}"
        if entry.what == "left":
            waiting[entry.life] -= set(entry.ids)
            first.pop((entry.life, entry.ids[0]), None)
    yield from _waited_too_long(outcome)


def _waited_too_long(outcome: Outcome) -> Iterator[str]:
    if not outcome.history.undisturbed or outcome.clock_is_off:
        return
    spoilers = [one for one in outcome.history.sendings if set(one.script) == {"spoil"} and one.decodes]
    for one in spoilers:
        if not _alone(one, spoilers):
            continue
        begun = min(entry.at for entry in outcome.record.of("begin") if one.id in entry.ids)
        ends = [entry for entry in outcome.record.of("left") if one.id in entry.ids]
        if ends[-1].at > begun + outcome.history.rules.patience + RECOVERY or len(ends) > 1:
            yield f"{one.id} from {begun:.1f} to {ends[-1].at:.1f}, {len(ends)} times"


def _alone(one: Sending, spoilers: list[Sending]) -> bool:
    """Whether nobody else fails at its place, nor will; and whether it can be told and set aside at once."""
    others = [other for other in spoilers if other is not one and other.place == one.place]
    return not others and not one.large and not one.unspeakable


def i30_telling_is_given_up(outcome: Outcome) -> Iterator[str]:
    """What can be told to nobody is tried five times in one delivery, and then dead-lettered without it."""
    tried: dict[tuple[int, str], int] = defaultdict(int)
    for entry in outcome.record.of("unheard_of", "left"):
        key = entry.life, entry.ids[0]
        if entry.what == "left":
            tried.pop(key, None)
            continue
        tried[key] += 1
        if tried[key] > outcome.history.rules.tellings:
            yield f"{entry.ids[0]} at {entry.at:.1f}, for the {tried[key]}th time"


def i31_refused_at_a_place_that_is_down(outcome: Outcome) -> Iterator[str]:
    """While a place refuses everybody, nobody is given up for being refused there."""
    refused: dict[tuple[int, str], float] = {}
    for entry in outcome.record.of("end", "announced"):
        for name in entry.ids:
            if entry.what == "end":
                refused[entry.life, name] = entry.at
            elif entry.facts["reason"] == "AccessDenied":
                at, place = refused[entry.life, name], outcome.sending(name).place
                for life, down, start, end in outcome.downs:
                    if (life, down) == (entry.life, place) and start + ROUNDING < at < end:
                        yield f"{name} at {at:.2f}, down since {start:.2f}"


def i32_set_aside_at_once(outcome: Outcome) -> Iterator[str]:
    """A message that the dead-letter queue will never take is offered to it once in each delivery."""
    offered: set[tuple[int, str]] = set()
    for entry in outcome.record.of("too_large", "left"):
        key = entry.life, entry.ids[0]
        if entry.what == "left":
            offered.discard(key)
        elif key in offered:
            yield f"{entry.ids[0]} at {entry.at:.2f}"
        else:
            offered.add(key)


CHECKS: tuple[Callable[[Outcome], Iterator[str]], ...] = (
    i26_pauses,
    i27_half_open,
    i28_places_come_back,
    i29_unproven,
    i30_telling_is_given_up,
    i31_refused_at_a_place_that_is_down,
    i32_set_aside_at_once,
)
