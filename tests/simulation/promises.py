"""The promises of the engine, as checks of a history's record; each tells what broke it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from orca_daemon.engine.dead_letter_sender import LAST_RECEIVE
from orca_daemon.engine.expiry import ITS_LAST
from orca_daemon.engine.source import BATCH
from tests.simulation import against_truth, patience
from tests.simulation.outcome import Outcome
from tests.simulation.record import Entry

BODY = 3
"""Bytes of a body: its message's name."""
SLACK = 30.0
"""Seconds by which a drain may be longer than its parts, for slow answers."""


def broken(outcome: Outcome) -> list[str]:
    """Every promise that a history broke."""
    return [f"{check.__name__}: {what}" for check in CHECKS for what in check(outcome)]


def i1_nothing_is_lost(outcome: Outcome) -> Iterator[str]:
    """Every message ends deleted or in the dead-letter queue; without one, what fails stays on the queue."""
    staying = outcome.history.staying
    for name, state in outcome.queues.states().items():
        if (state in {"deleted", "dead"}) is (name in staying):
            yield f"{name} is {state}"


def i2_effect_before_delete(outcome: Outcome) -> Iterator[str]:
    """No delete is asked for before the work is committed or a copy is in the dead-letter queue."""
    safe: set[str] = set()
    for entry in outcome.record.entries:
        if entry.what in {"commit", "dead_letter_sent"}:
            safe.update(entry.ids)
        elif entry.what == "delete":
            yield from (f"{name} at {entry.at:.2f}" for name in entry.ids if name not in safe)


def i3_group_order(outcome: Outcome) -> Iterator[str]:
    """The first commits of a group come in the order of sending, but for dead letters."""
    if not outcome.history.fifo:
        return
    done: set[str] = set()
    order = _order(outcome)
    for entry in outcome.record.entries:
        done.update(outcome.set_aside(entry))
        if entry.what == "commit":
            for name in entry.ids:
                before = [
                    other for other in order[name] if other not in done and not _moved(outcome, other, entry)
                ]
                if before and name not in done:
                    yield f"{name} before {before} at {entry.at:.2f}"
                done.add(name)


def i4_single_flight(outcome: Outcome) -> Iterator[str]:
    """No two attempts at a message, or at a FIFO group, at one time in one life."""
    group = {sending.id: sending.group for sending in outcome.history.sendings}
    at_work: dict[tuple[int, str], tuple[str, ...]] = {}
    for entry in outcome.record.of("begin", "end"):
        keys = {group[name] if outcome.history.fifo else name for name in entry.ids}
        for key in keys:
            if entry.what == "end":
                at_work.pop((entry.life, key), None)
            elif (entry.life, key) in at_work:
                yield f"{entry.ids} beside {at_work[entry.life, key]} at {entry.at:.2f}"
            else:
                at_work[entry.life, key] = entry.ids


def i5_deletes_in_order(outcome: Outcome) -> Iterator[str]:
    """Deletes of a group are asked for in its order, and a run starts when those before are confirmed."""
    if not outcome.history.fifo:
        return
    order = _order(outcome)
    ever: set[str] = set()
    asked: dict[int, set[str]] = defaultdict(set)
    left: dict[int, set[str]] = defaultdict(set)
    for entry in outcome.record.of("delete", "too_large", "release", "left", "begin"):
        ever.update(outcome.set_aside(entry))
        if entry.what == "delete":
            for name in entry.ids:
                late = [n for n in order[name] if n not in ever and outcome.truth.there(n, entry.at)]
                if late:
                    yield f"{name} before {late} at {entry.at:.2f}"
                ever.add(name)
            asked[entry.life].update(entry.ids)
        elif entry.what == "left":
            left[entry.life].update(entry.ids)
            asked[entry.life].update(entry.ids)
        elif entry.what == "begin":
            for name in entry.ids:
                pending = [n for n in order[name] if n in asked[entry.life] and n not in left[entry.life]]
                if pending:
                    yield f"{name} began before the delete of {pending} was confirmed at {entry.at:.2f}"


def i6_one_receive_each(outcome: Outcome) -> Iterator[str]:
    """Every message is received once; on a good network only its return or a kill costs it another."""
    history = outcome.history
    if not history.well_connected or not history.dead_letter or outcome.clock_is_off:
        return
    paid = Counter(
        entry.ids[0]
        for entry in outcome.record.of("left")
        if entry.facts["outcome"] in {"released", "hidden"}
    )
    kills = len(outcome.record.of("killed"))
    for name, receives in outcome.queues.receives().items():
        if receives > 1 + paid[name] + kills:
            yield f"{name} was received {receives} times, for {paid[name]} returns and {kills} kills"


def i7_no_collateral(outcome: Outcome) -> Iterator[str]:
    """A message whose work would succeed is never dead-lettered by us."""
    healthy = {sending.id for sending in outcome.history.sendings if sending.healthy}
    for entry in outcome.record.of("dead_letter_sent"):
        if healthy & set(entry.ids) and not _stalls(outcome) and not _by_its_place(outcome, entry):
            yield f"{entry.ids} at {entry.at:.2f}: {entry.facts['reason']}"


def i8_no_settlement_after_loss(outcome: Outcome) -> Iterator[str]:
    """After the lease of a delivery was lost nothing is asked for it."""
    lost: set[tuple[int, str]] = set()
    for entry in outcome.record.of("left", "delete", "hide", "release"):
        for name, receipt in zip(entry.ids, entry.facts["receipts"], strict=True):
            key = entry.life, receipt
            if entry.what != "left" and key in lost:
                yield f"{entry.what} of {name} at {entry.at:.2f}"
            elif entry.facts.get("outcome") == "lease_lost":
                lost.add(key)


def i9_permits(outcome: Outcome) -> Iterator[str]:
    """What is held, parked and reserved is what there is, at any time; in the end that is nothing."""
    yield from outcome.leaks


def i10_bounded(outcome: Outcome) -> Iterator[str]:
    """No more is in flight than the limits of messages and bytes."""
    held: Counter[int] = Counter()
    bodies: Counter[int] = Counter()
    # The first receive brings bodies of a size that is not known yet.
    most = max(outcome.history.held_bytes, BATCH * BODY)
    for entry in outcome.record.of("polled", "left"):
        if entry.what == "polled":
            held[entry.life] += len(entry.ids)
            bodies[entry.life] += sum(map(len, entry.ids))
        else:
            held[entry.life] -= 1
            bodies[entry.life] -= sum(map(len, entry.ids))
        if bodies[entry.life] > most:
            yield f"{bodies[entry.life]} bytes at {entry.at:.2f}"
        if held[entry.life] > outcome.history.held:
            yield f"{held[entry.life]} at {entry.at:.2f}"


def i11_drain(outcome: Outcome) -> Iterator[str]:
    """After a stop no receive starts or is abandoned, nothing goes back before the last; it ends in time."""
    if not _stalls(outcome):  # the watchdog of a poll cannot tell a silent queue from a loop that stood still
        yield from (f"a receive was abandoned at {entry.at:.2f}" for entry in outcome.record.of("abandoned"))
    stopped: dict[int, float] = {}
    joined: set[int] = set()
    # Behind a lost message everything is given back, at any time.
    calm = outcome.history.dead_letter and not any(
        entry.facts["outcome"] == "lease_lost" for entry in outcome.record.of("left")
    )
    history = outcome.history
    limit = max(history.wait + 10.0, history.drain_seconds) + SLACK
    for entry in outcome.record.of("stop", "receive", "begin", "joined", "release", "drained"):
        if entry.what == "stop":
            stopped[entry.life] = entry.at
        elif entry.what == "joined":
            joined.add(entry.life)
        elif entry.what == "release":
            old = any(_is_old(outcome, receipt, entry.at) for receipt in entry.facts["receipts"])
            if calm and entry.life not in joined and not old:
                yield f"{entry.ids} given back at {entry.at:.2f}, before the polls had ended"
        elif entry.what in {"receive", "begin"} and entry.life in stopped:
            yield f"{entry.what} {entry.ids} at {entry.at:.2f}, after the stop at {stopped[entry.life]:.2f}"
        elif entry.what == "drained" and entry.facts["seconds"] > limit and not _stalls(outcome):
            yield f"{entry.facts['seconds']:.1f} s"


def i12_no_silent_death(outcome: Outcome) -> Iterator[str]:
    """No engine dies, and no error goes unheard."""
    yield from outcome.faults
    yield from outcome.complaints


def i13_poison_hurts_nobody(outcome: Outcome) -> Iterator[str]:
    """Where nothing disturbs, a message that can succeed does, once, whatever becomes of its neighbours."""
    if outcome.history.undisturbed and not _stalls(outcome):
        commits = Counter(name for entry in outcome.record.of("commit") for name in entry.ids)
        states = outcome.queues.states()
        for sending in outcome.history.sendings:
            if sending.healthy and (commits[sending.id], states[sending.id]) != (1, "deleted"):
                yield f"{sending.id} is {states[sending.id]}, its work was done {commits[sending.id]} times"


def i14_no_storm(outcome: Outcome) -> Iterator[str]:
    """During an outage nothing is received again and again, and nothing is dead-lettered for it."""
    for start, end in outcome.history.outages:
        polls = sum(start + 120 < entry.at < end for entry in outcome.record.of("receive"))
        allowed = 20 + (end - start) / 60
        if polls > allowed and len(outcome.record.of("begin")) > 0 and _tried_during(outcome, start, end):
            yield f"{polls} receives in {end - start:.0f} s"


def i15_truth(outcome: Outcome) -> Iterator[str]:
    """What is said to be deleted is, each delivery is told to have left once, the last answer is the last."""
    yield from outcome.lies
    got: Counter[int] = Counter()
    for entry in outcome.record.of("polled", "left", "drained"):
        got[entry.life] += {"polled": len(entry.ids), "left": -1}.get(entry.what, 0)
        if entry.what == "drained" and got[entry.life]:
            yield f"{got[entry.life]} deliveries have not been told to have left"
    for entry in outcome.record.of("left"):
        if entry.facts["outcome"] == "deleted" and not outcome.queues.gone(entry.ids[0], entry.at):
            yield f"{entry.ids[0]} at {entry.at:.2f}"


def i16_announced(outcome: Outcome) -> Iterator[str]:
    """The world is told of every message before it is set aside, and of none that is not given up."""
    healthy = {sending.id for sending in outcome.history.sendings if sending.healthy}
    reported: set[tuple[int, str]] = set()
    for entry in outcome.record.of("notified", "abandoned_notification", "dead_letter_sent"):
        [name] = entry.ids
        if entry.what == "abandoned_notification":
            reported.add((entry.life, name))  # that is told to the operator
        elif entry.what == "notified":
            reported.add((entry.life, name))
            wrongly = entry.facts["reason"] != LAST_RECEIVE and not _by_its_place(outcome, entry)
            if name in healthy and wrongly and not _stalls(outcome):
                yield f"{name} at {entry.at:.2f}: {entry.facts['reason']}"
        elif (entry.life, name) not in reported:
            yield f"{name} was dead-lettered at {entry.at:.2f} before `gave_up` succeeded"


def i17_pause(outcome: Outcome) -> Iterator[str]:
    """While an operator holds the intake no receive starts."""
    paused: set[int] = set()
    for entry in outcome.record.of("paused", "resumed", "receive"):
        if entry.what == "paused":
            paused.add(entry.life)
        elif entry.what == "resumed":
            paused.discard(entry.life)
        elif entry.life in paused:
            yield f"a receive at {entry.at:.2f}"


CHECKS: tuple[Callable[[Outcome], Iterator[str]], ...] = (
    *against_truth.CHECKS,
    *patience.CHECKS,
    i1_nothing_is_lost,
    i2_effect_before_delete,
    i3_group_order,
    i4_single_flight,
    i5_deletes_in_order,
    i6_one_receive_each,
    i7_no_collateral,
    i8_no_settlement_after_loss,
    i9_permits,
    i10_bounded,
    i11_drain,
    i12_no_silent_death,
    i13_poison_hurts_nobody,
    i14_no_storm,
    i15_truth,
    i16_announced,
    i17_pause,
)


def _order(outcome: Outcome) -> dict[str, list[str]]:
    """For each message, those that were sent before it to its group."""
    seen: dict[str, list[str]] = defaultdict(list)
    order: dict[str, list[str]] = {}
    for entry in outcome.record.of("sent"):
        [name] = entry.ids
        order[name] = list(seen[entry.facts["group"]])
        seen[entry.facts["group"]].append(name)
    return order


def _moved(outcome: Outcome, name: str, by: Entry) -> bool:
    """Whether SQS itself had moved the message to the dead-letter queue by then."""
    when = outcome.queues.moved_at(name)
    return when is not None and when <= by.at


def _by_its_place(outcome: Outcome, entry: Entry) -> bool:
    """Whether the place of the message was at fault, and nobody could know that.

    Either the message was refused, and fewer than five others were; or it failed alone for all of patience.
    """
    faults = [one for one in outcome.history.faults if one.place == outcome.sending(entry.ids[0]).place]
    if entry.facts["reason"] == "AccessDenied":
        return any(one.kind == "denied" and one.start <= entry.at - SLACK < one.end for one in faults) or any(
            one.kind == "denied" and one.start <= entry.at < one.end for one in faults
        )
    since = entry.at - outcome.history.rules.patience
    if ITS_LAST in str(entry.facts["reason"]):
        return True  # SQS would have moved it: i25_twelve_hours looks whether that is so
    alone = "nobody else needed it" in str(entry.facts["reason"])
    return alone and any(one.start <= since and entry.at - SLACK < one.end for one in faults)


def _stalls(outcome: Outcome) -> bool:
    """Whether the loop stood still: leases are lost then, whatever anybody does."""
    return any("stall" in sending.script for sending in outcome.history.sendings)


def _is_old(outcome: Outcome, receipt: str, at: float) -> bool:
    """Whether this delivery has waited for as long as one may."""
    return at - outcome.truth.by_receipt[receipt].received >= outcome.history.rules.longest_wait


def _tried_during(outcome: Outcome, start: float, end: float) -> bool:
    return any(start < entry.at < min(start + 60, end) for entry in outcome.record.of("begin"))
