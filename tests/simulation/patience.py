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
FOUND_UP = 25.0
"""Seconds past the longest pause in which somebody has tried a place that works again."""
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
    for fault in history.faults:
        if _is_alone(outcome, fault):
            for one in history.sendings:
                late = outcome.truth.there(one.id, fault.end + RECOVERY) and one.at < fault.end
                if one.healthy and one.place == fault.place and late and not _behind_others(outcome, one):
                    yield f"{one.id}: {fault.place} works since {fault.end:.1f}"
        if any(
            one.place == fault.place and {"spoil", "denied"} & set(one.script) for one in history.sendings
        ):
            continue  # it may fail there for ever
        found = fault.end + history.rules.retry.cap + FOUND_UP
        if any(one.place == fault.place and "hang" in one.script for one in history.sendings):
            found += history.time_limit  # the one message that is tried may be such a one
        for life, place, start, end in outcome.downs:
            if place == fault.place and start < fault.end and end > found:
                yield f"{place} was taken for down until {end:.1f} in life {life}"


def _is_alone(outcome: Outcome, fault: Fault) -> bool:
    """Whether nothing else is wrong from the end of the fault on."""
    history = outcome.history
    windows = (
        *history.outages,
        *history.pauses,
        *history.no_extensions,
        *history.no_deletes,
        *history.at_limit,
    )
    others = [one.end for one in history.faults if one is not fault]
    last = max(entry.life for entry in outcome.record.entries)
    began = min(entry.at for entry in outcome.record.entries if entry.life == last)
    ends = max([began, *(end for _, end in windows), *others], default=0.0)
    return ends <= fault.end and not outcome.clock_is_off and history.dead_letter


def _behind_others(outcome: Outcome, one: Sending) -> bool:
    """Whether a message that fails may hold it up: in its group, or all that may be in flight."""
    return any(other.doomed or "stubborn" in other.script for other in outcome.history.sendings) or one.unkept


def i29_unproven(outcome: Outcome) -> Iterator[str]:
    """Only what failed alone, for as long as patience lasts, is dead-lettered as unproven; and then it is."""
    rules = outcome.history.rules
    for name, entry, since, beside in _unproven(outcome):
        place = outcome.sending(name).place
        others = {one for one in beside if outcome.sending(one).place == place}
        # What is older was in its last delivery.
        if entry.facts["held"] < rules.longest_wait and (entry.at - since < rules.patience or others):
            yield f"{name} at {entry.at:.1f}, since {since:.1f}, beside {sorted(others)}"
    yield from _waited_too_long(outcome)


def _unproven(outcome: Outcome) -> Iterator[tuple[str, Entry, float, set[str]]]:
    """Dead letters as unproven: when it failed first, and who else waited when it failed last."""
    first: dict[tuple[int, str], float] = {}
    beside: dict[tuple[int, str], set[str]] = {}
    waiting: dict[int, set[str]] = defaultdict(set)
    for entry in outcome.record.of("end", "notified", "left"):
        for key in [(entry.life, name) for name in entry.ids]:
            waits = False
            if entry.what == "end" and entry.facts["error"] in UNMET:
                first.setdefault(key, entry.at)
                beside[key] = waiting[entry.life] - {key[1]}
                # One that is refused may be at fault itself, and of several it is not known which.
                waits = len(entry.ids) == 1 and entry.facts["error"].startswith("DependencyDown")
            elif entry.what == "left" and entry.facts["cause"] == "unproven" and key in first:
                yield key[1], entry, first[key], beside[key]
            if entry.what == "left":
                first.pop(key, None)
            waiting[entry.life].discard(key[1])
            waiting[entry.life].update({key[1]} if waits else ())


def _waited_too_long(outcome: Outcome) -> Iterator[str]:
    if not outcome.history.undisturbed or outcome.clock_is_off:
        return
    spoilers = [one for one in outcome.history.sendings if set(one.script) == {"spoil"} and one.decodes]
    for one in spoilers:
        if not _alone(one, spoilers):
            continue
        # Its first attempt may have failed for another message of its run, behind which it waits since.
        failures = [entry for entry in outcome.record.of("end") if one.id in entry.ids]
        alone = [entry.at for entry in failures if entry.facts["error"] in UNMET and len(entry.ids) == 1]
        begun = min(alone, default=0.0)
        ends = [entry for entry in outcome.record.of("left") if one.id in entry.ids]
        if not ends or ends[-1].at > begun + outcome.history.rules.patience + RECOVERY or len(ends) > 1:
            yield f"{one.id} from {begun:.1f}, it left {len(ends)} times"


def _alone(one: Sending, spoilers: list[Sending]) -> bool:
    """Whether nobody else fails at its place, nor will; and whether it can be told and set aside at once."""
    others = [other for other in spoilers if other is not one and other.place == one.place]
    return not others and not one.large and not one.unspeakable


def i30_notification_is_given_up(outcome: Outcome) -> Iterator[str]:
    """What can be told to nobody is tried five times in one delivery, and then dead-lettered without it."""
    tried: dict[tuple[int, str], int] = defaultdict(int)
    for entry in outcome.record.of("unheard_of", "left"):
        key = entry.life, entry.ids[0]
        if entry.what == "left":
            tried.pop(key, None)
            continue
        tried[key] += 1
        if tried[key] > outcome.history.rules.notification_tries:
            yield f"{entry.ids[0]} at {entry.at:.1f}, for the {tried[key]}th time"


def i31_refused_at_a_place_that_is_down(outcome: Outcome) -> Iterator[str]:
    """While a place refuses everybody, nobody is given up for being refused there."""
    refused: dict[tuple[int, str], float] = {}
    for entry in outcome.record.of("end", "notified"):
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
    for entry in outcome.record.of("too_large"):
        key = entry.life, entry.facts["receipts"][0]
        if key in offered:
            yield f"{entry.ids[0]} at {entry.at:.2f}"
        offered.add(key)


CHECKS: tuple[Callable[[Outcome], Iterator[str]], ...] = (
    i26_pauses,
    i27_half_open,
    i28_places_come_back,
    i29_unproven,
    i30_notification_is_given_up,
    i31_refused_at_a_place_that_is_down,
    i32_set_aside_at_once,
)
