"""Single histories that tell a story: an outage of an hour, a poison message, work that never ends."""

from dataclasses import replace

import pytest

from orca_daemon.engine.charges import Rules
from tests.simulation.history import Fault, History, Life, Rates, Sending
from tests.simulation.outcome import Outcome
from tests.simulation.promises import broken
from tests.simulation.world import play

HOUR = 3600.0


CALM = History(
    seed=1,
    fifo=True,
    batch=10,
    merge=True,
    concurrency=2,
    pollers=2,
    lease=120.0,
    wait=10.0,
    max_receives=5,
    max_attempts=5,
    drain_seconds=50.0,
    sendings=(),
    lives=(),
    rates=Rates(),
    rules=Rules(),
)
"""One FIFO queue, and nothing that disturbs it; with the rules of a real one."""


def messages(count: int, *, group: str = "g", script: tuple[str, ...] = ("ok",)) -> list[Sending]:
    """Healthy messages of one group, all sent at once."""
    return [Sending(id=f"{group}{number:02d}", group=group, at=0.0, script=script) for number in range(count)]


def commits(outcome: Outcome) -> dict[str, float]:
    """When each message's work was first done."""
    when: dict[str, float] = {}
    for entry in outcome.record.of("commit"):
        for name in entry.ids:
            when.setdefault(name, entry.at)
    return when


def test_an_hour_of_outage_dead_letters_nothing_and_receives_little() -> None:
    outcome = play(replace(CALM, sendings=(*messages(10), *messages(10, group="h")), outages=((0.01, HOUR),)))
    assert broken(outcome) == []
    assert outcome.record.of("dead_letter_sent") == []
    assert len(commits(outcome)) == 20
    assert max(outcome.queues.receives().values()) == 1
    during = [entry for entry in outcome.record.of("receive") if entry.at < HOUR]
    assert len(during) < 10
    assert min(commits(outcome).values()) < HOUR + 30


def test_a_poison_message_costs_its_group_less_than_a_second_and_others_nothing() -> None:
    bad = Sending(id="g05", group="g", at=0.0, script=("reject",))
    group = messages(10)
    outcome = play(replace(CALM, sendings=(*group[:5], bad, *group[6:], *messages(3, group="h"))))
    assert broken(outcome) == []
    assert [entry.ids for entry in outcome.record.of("dead_letter_sent")] == [("g05",)]
    done = commits(outcome)
    assert done["g06"] - done["g04"] < 1.0
    assert set(outcome.queues.receives().values()) == {1}


def test_work_that_never_ends_is_cancelled_at_its_limit_and_set_aside() -> None:
    stuck = Sending(id="g00", group="g", at=0.0, script=("hang",))
    outcome = play(replace(CALM, sendings=(stuck, *messages(3, group="h")), max_attempts=2, merge=False))
    assert broken(outcome) == []
    assert outcome.queues.states()["g00"] == "dead"
    assert all(at < 5 for at in commits(outcome).values())


def test_a_stop_in_the_middle_of_a_group_gives_back_the_rest_in_order() -> None:
    outcome = play(
        replace(
            CALM,
            sendings=tuple(messages(10, script=("slow",))),
            batch=1,
            lives=(Life(20.0, "stop"),),
            max_receives=1000,
        )
    )
    assert broken(outcome) == []
    assert list(commits(outcome)) == [f"g{number:02d}" for number in range(10)]


def test_a_message_that_breaks_its_dependency_is_found_and_set_aside() -> None:
    culprit = Sending(id="g01", group="g", at=0.0, script=("suspect",))
    outcome = play(replace(CALM, sendings=(culprit, *messages(4, group="h")), max_attempts=3))
    assert broken(outcome) == []
    assert outcome.queues.states()["g01"] == "dead"
    assert len(commits(outcome)) == 4
    tried = [entry.at for entry in outcome.record.of("begin") if entry.ids == ("g01",)]
    assert 900 < tried[-1] < 1100
    assert 15 < len(tried) < 40


@pytest.mark.parametrize(("kind", "share"), [("down", 1.0), ("down", 0.5), ("denied", 1.0), ("slow", 1.0)])
def test_an_hour_in_which_a_place_does_not_do_its_work_cost_no_message_anything(
    kind: str, share: float
) -> None:
    sendings = [
        replace(one, place="a")
        for number in range(20)
        for one in messages(1, group=f"g{number}", script=("ok",))
    ]
    fault = Fault("a", 0.0, HOUR, kind, share)
    outcome = play(replace(CALM, sendings=tuple(sendings), faults=(fault,), batch=1, concurrency=10))
    assert broken(outcome) == []
    assert outcome.record.of("dead_letter_sent") == []
    assert len(commits(outcome)) == 20
    assert set(outcome.queues.receives().values()) == {1}
    assert max(commits(outcome).values()) < HOUR + 120
