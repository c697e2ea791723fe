"""When a failure at a dependency is charged to the message that met it, and when that is its end."""

from dataclasses import replace

import pytest

from orca_daemon.engine.charges import History, Rules, Standing, judge, proven
from orca_daemon.engine.tally import Tally

RULES = Rules()
MOST = 3
WORKS = Standing(moment=50, succeeded=9, failed=1)
SILENT = Standing(moment=50)
EARLIER = History(since=0.0, moment=40, failures=7)
CHARGED = replace(EARLIER, charges=2, first_charge=100.0)


@pytest.mark.parametrize(("succeeded", "failed"), [(3, 0), (9, 1), (18, 2), (100, 0)])
def test_a_place_is_cleared_by_three_others_and_nine_of_ten_of_their_attempts(
    succeeded: int, failed: int
) -> None:
    assert proven(Standing(moment=9, succeeded=succeeded, failed=failed), RULES)


@pytest.mark.parametrize(("succeeded", "failed"), [(0, 0), (2, 0), (3, 1), (8, 1), (17, 2), (0, 50)])
def test_less_does_not_clear_it(succeeded: int, failed: int) -> None:
    assert not proven(Standing(moment=9, succeeded=succeeded, failed=failed), RULES)


@pytest.mark.parametrize(
    ("history", "standing", "now", "cause", "charges"),
    [
        pytest.param(None, WORKS, 9999.0, "", 0, id="a first failure is judged by the next"),
        pytest.param(EARLIER, SILENT, 600.0, "", 0, id="without evidence nothing is charged"),
        pytest.param(EARLIER, WORKS, 600.0, "", 1, id="with evidence it is"),
        pytest.param(CHARGED, WORKS, 999.0, "", 3, id="enough charges in less than a quarter of an hour"),
        pytest.param(CHARGED, WORKS, 1000.0, "attempts", 3, id="enough charges"),
        pytest.param(CHARGED, SILENT, 5000.0, "", 2, id="an attempt without evidence ends nothing"),
        pytest.param(EARLIER, WORKS, 5000.0, "", 1, id="one charge is not enough however long it takes"),
        pytest.param(EARLIER, SILENT, 14_399.0, "", 0, id="patience"),
        pytest.param(EARLIER, SILENT, 14_400.0, "unproven", 0, id="the end of patience"),
        pytest.param(
            EARLIER, replace(SILENT, others_wait=True), 40_000.0, "", 0, id="no end of it where others fail"
        ),
        pytest.param(
            CHARGED,
            replace(WORKS, others_wait=True),
            1000.0,
            "attempts",
            3,
            id="evidence wins over others that wait",
        ),
        pytest.param(
            CHARGED, replace(SILENT, opened=41), 40_000.0, "", 0, id="an outage in between: all begins anew"
        ),
    ],
)
def test_a_message_is_charged_on_evidence_and_waits_without(
    history: History | None, standing: Standing, now: float, cause: str, charges: int
) -> None:
    judgement = judge(history, standing, now=now, rules=RULES, most=MOST)
    assert (judgement.cause or "", judgement.history.charges) == (cause, charges)
    assert judgement.history.moment == standing.moment


def test_what_happened_before_an_outage_is_forgotten_with_it() -> None:
    judgement = judge(CHARGED, replace(WORKS, opened=45), now=777.0, rules=RULES, most=MOST)
    assert judgement.history == History(since=777.0, moment=50)


def test_the_first_of_the_charges_is_remembered() -> None:
    once = judge(EARLIER, WORKS, now=600.0, rules=RULES, most=MOST).history
    twice = judge(once, WORKS, now=700.0, rules=RULES, most=MOST).history
    assert (twice.charges, twice.first_charge, twice.failures, twice.since) == (2, 600.0, 9, 0.0)


def test_a_place_counts_as_down_when_three_different_messages_failed_in_a_row() -> None:
    tally = Tally()
    assert not tally.failure("a", RULES)
    assert not tally.failure("a", RULES)
    assert not tally.failure("b", RULES)
    tally.success("c")
    assert not tally.failure("a", RULES)
    assert not tally.failure("b", RULES)
    assert tally.failure("d", RULES)


def test_it_takes_five_different_messages_that_are_refused() -> None:
    tally = Tally()
    answers = [tally.failure(message, RULES, refused=True) for message in "aaabcde"]
    assert answers == [False, False, False, False, False, False, True]
    tally.success("f")
    assert not tally.failure("g", RULES, refused=True)


def test_a_message_is_no_evidence_against_itself() -> None:
    tally = Tally()
    tally.failure("a", RULES)
    since = tally.moment
    for message in "aaaab":
        tally.success(message)
    tally.failure("a", RULES)
    tally.failure("c", RULES)
    standing = tally.standing("a", since)
    assert (standing.succeeded, standing.failed) == (1, 1)


def test_what_came_before_the_last_attempt_is_no_evidence() -> None:
    tally = Tally()
    for message in "bcd":
        tally.success(message)
    tally.failure("a", RULES)
    assert tally.standing("a", tally.moment).succeeded == 0


def test_a_tally_stays_small_however_much_happens() -> None:
    tally = Tally()
    for number in range(10_000):
        tally.success(f"s{number}")
        tally.failure(f"f{number}", RULES)
    standing = tally.standing("a", 0)
    assert standing.succeeded == standing.failed == 128


def test_others_wait_where_a_message_that_is_in_flight_failed() -> None:
    tally = Tally(waiting={"a"})
    assert not tally.standing("a", 0).others_wait
    tally.waiting.add("b")
    assert tally.standing("a", 0).others_wait
