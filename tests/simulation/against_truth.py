"""Promises that only the queue itself can tell of: what it received, when, and what was visible meanwhile."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator

from orca_daemon.engine.evidence import NAME
from orca_daemon.engine.expiry import ITS_LAST
from orca_daemon.engine.in_flight_message import END_MARGIN
from orca_daemon.engine.poller import RECEIVE_MARGIN
from tests.simulation.outcome import Holding, Outcome
from tests.simulation.truth import Delivery

LATE = 10.0
"""Seconds for answers under way, for the keeper's tick, and for work that does not stop at once."""
TICK = 3.0
SLOW = 4.0
"""Seconds that a call may need to reach the queue: by so much the daemon counts a lease too short."""
ASK_AGAIN = 13.0
"""Seconds from an extension that came to nothing to the next: its answer may take eight."""


def i18_work_stops_with_its_lease(outcome: Outcome) -> Iterator[str]:
    """Work does not go on when the queue may give its message to others."""
    if outcome.clock_is_off:
        return
    begun: dict[tuple[int, tuple[str, ...]], float] = {}
    for entry in outcome.record.of("begin", "end"):
        if entry.what == "begin":
            begun[entry.life, entry.ids] = entry.at
            continue
        for name in entry.ids:
            known = [one for one in outcome.holdings if (one.life, one.delivery.name) == (entry.life, name)]
            ours = [one.delivery.granted_until for one in known if one.since <= entry.at]
            if ours and entry.at > max(ours) + LATE:
                yield f"{name} until {entry.at:.2f}, its lease until {max(ours):.2f}"


def i19_leases_are_kept(outcome: Outcome) -> Iterator[str]:
    """What is in flight is extended at a third of its lease, and again and again where that fails."""
    if outcome.clock_is_off:
        return
    asked: dict[tuple[int, str], list[tuple[float, str]]] = defaultdict(list)
    for entry in outcome.record.of("hide", "release"):
        for receipt in entry.facts["receipts"]:
            asked[entry.life, receipt].append((entry.at, entry.what))
    for one in outcome.holdings:
        if not outcome.history.dead_letter and outcome.sending(one.delivery.name).doomed:
            continue  # it is hidden for long, after what is behind it was given back
        asks = asked[one.life, one.delivery.receipt]
        # What is being given back needs no lease, and the last minute of a delivery has none to give.
        released = min((at for at, what in asks if what == "release"), default=one.until)
        longest = one.delivery.received + outcome.history.rules.longest_lease - END_MARGIN - 2
        end = min(one.until, one.delivery.over, released, longest)
        if one.how == "lease_lost" and outcome.history.rates.slow:
            # An extension may have been granted, and its answer have come when the lease was given up.
            end = min(end, one.since + outcome.history.lease - RECEIVE_MARGIN)
        yield from _unasked(one, [at for at, _ in asks], end)


def _unasked(one: Holding, asks: list[float], end: float) -> Iterator[str]:
    last, allowed = one.since, one.delivery.grants[0][1] / 3 + TICK
    for at in [*(at for at in asks if at < end), end]:
        if at > last + allowed + 0.01:
            yield f"{one.delivery.name} in life {one.life}: nothing was asked from {last:.2f} to {at:.2f}"
        granted = [grant for grant in one.delivery.grants[1:] if at <= grant[0] <= at + LATE]
        last = at
        allowed = granted[0][0] - at + granted[0][1] / 3 + TICK if granted else ASK_AGAIN


def i20_lost_only_if_lost(outcome: Outcome) -> Iterator[str]:
    """A lease that the queue still holds is not given up as lost."""
    if outcome.clock_is_off:
        return
    unheard = _unheard(outcome)
    early = TICK + (SLOW if outcome.history.rates.slow else 0.0)
    asked = {
        (receipt, entry.at) for entry in outcome.record.of("hide") for receipt in entry.facts["receipts"]
    }
    for one in outcome.holdings:
        delivery = one.delivery
        # Of a second delivery elsewhere the daemon hears only from an extension that reaches the queue.
        unaware = outcome.sending(delivery.name).unkept
        ends = delivery.granted_until if unaware else delivery.lease_ends
        if any(of == delivery.receipt and at > one.until - LATE for of, at in asked) and early > TICK:
            continue  # the answer may still have been under way
        if one.how == "lease_lost" and delivery.receipt not in unheard and ends > one.until + early:
            yield f"{delivery.name} at {one.until:.2f}, its lease until {ends:.2f}"


def _unheard(outcome: Outcome) -> set[str]:
    """Deliveries whose lease may be longer than the daemon knows: the answer to an extension was lost."""
    lost = (entry for entry in outcome.record.of("unheard") if entry.facts["of"] == "hide")
    return {receipt for entry in lost for receipt in entry.facts["receipts"]}


def i21_given_back_in_order(outcome: Outcome) -> Iterator[str]:
    """Of what is given back of a group, the last comes first: its head is the last to become visible."""
    if not outcome.history.fifo or not outcome.history.well_connected:
        return
    # What left together was given back together; what was set aside has left the order.
    together = {
        one.delivery.receipt: (one.life, one.until)
        for one in outcome.holdings
        if not outcome.sending(one.delivery.name).large
    }
    shown: dict[tuple[str, tuple[int, float]], Delivery] = {}
    for one in outcome.truth.given_back:
        if one.receipt not in together:
            continue
        key = outcome.sending(one.name).group, together[one.receipt]
        if key in shown and shown[key].sequence < one.sequence:
            yield f"{shown[key].name} before {one.name} at {one.over:.2f}"
        shown[key] = one


def i22_given_back(outcome: Outcome) -> Iterator[str]:
    """What is said to be given back is visible; what could not be was tried several times."""
    tries: dict[tuple[int, str], int] = defaultdict(int)
    for entry in outcome.record.of("release"):
        for receipt in entry.facts["receipts"]:
            tries[entry.life, receipt] += 1
    set_aside = {one.id for one in outcome.history.sendings if one.large or not outcome.history.dead_letter}
    in_time, unheard = outcome.drains_in_time, _unheard(outcome)
    for one in outcome.holdings:
        delivery = one.delivery
        if one.how == "released" and delivery.name not in set_aside and not delivery.given_back:
            yield f"{delivery.name} at {one.until:.2f} was not"
        tried = tries[one.life, delivery.receipt]
        if one.how != "hidden" or one.life not in in_time or delivery.receipt in unheard:
            continue
        # The daemon takes its lease to end a little earlier, and does not try again after that.
        if 0 < tried < 4 and delivery.over > one.until + RECEIVE_MARGIN:
            yield f"{delivery.name} was tried {tried} times until {one.until:.2f}"


def i23_notified_on_the_last_receive(outcome: Outcome) -> Iterator[str]:
    """Whoever waits for a message that goes back on its last receive is told that SQS will move it."""
    if not outcome.history.dead_letter:
        return
    reported: set[tuple[int, str]] = set()
    receipts = {(one.life, one.delivery.receipt): one.delivery for one in outcome.holdings}
    for entry in outcome.record.of("notified", "unheard_of", "abandoned_notification", "left"):
        [name] = entry.ids
        if entry.what != "left":
            reported.add((entry.life, name))
        elif entry.facts["outcome"] == "released" and (entry.life, name) not in reported:
            delivery = receipts.get((entry.life, entry.facts["receipts"][0]))
            if delivery and delivery.number >= outcome.history.max_receives:
                yield f"{name} at {entry.at:.2f}, after {delivery.number} receives"


def i24_dead_letters_have_reasons(outcome: Outcome) -> Iterator[str]:
    """Every dead letter that the daemon sent says why."""
    for letter in outcome.queues.dead.messages():
        if letter.came_from is None:
            evidence = letter.attributes.get(NAME, {}).get("StringValue", "{}")
            if not json.loads(str(evidence)).get("reason"):
                yield letter.body


def i25_twelve_hours(outcome: Outcome) -> Iterator[str]:
    """What waits is given back before SQS takes it away, or dead-lettered if that was the last time."""
    rules, history = outcome.history.rules, outcome.history
    if outcome.clock_is_off:
        return
    dead_lettered = {
        (entry.life, entry.ids[0])
        for entry in outcome.record.of("dead_letter_sent")
        if ITS_LAST in str(entry.facts["reason"])
    }
    done = {
        (entry.life, name) for entry in outcome.record.of("commit", "dead_letter_sent") for name in entry.ids
    }
    for one in outcome.holdings:
        age, key = one.until - one.delivery.received, (one.life, one.delivery.name)
        lost = one.how == "lease_lost" and age > rules.longest_lease - END_MARGIN - TICK
        if age > rules.longest_lease or (lost and key not in done):
            yield f"{one.delivery.name} was in flight for {age:.0f} s"
        early = age < rules.longest_wait or one.delivery.number < history.max_receives
        if one.how == "dead_lettered" and key in dead_lettered and early:
            yield f"{one.delivery.name} was given up after {age:.0f} s and {one.delivery.number} receives"


CHECKS: tuple[Callable[[Outcome], Iterator[str]], ...] = (
    i18_work_stops_with_its_lease,
    i19_leases_are_kept,
    i20_lost_only_if_lost,
    i21_given_back_in_order,
    i22_given_back,
    i23_notified_on_the_last_receive,
    i24_dead_letters_have_reasons,
    i25_twelve_hours,
)
