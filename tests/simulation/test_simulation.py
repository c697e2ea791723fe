"""Random histories of the engine keep its promises, and each way to break the engine on purpose is seen."""

from collections import Counter

import pytest

from orca_daemon.ops.metrics import Metrics
from tests.simulation.history import draw
from tests.simulation.mutants import MUTANTS
from tests.simulation.promises import CHECKS, broken
from tests.simulation.world import play

HISTORIES = 400
PREFIX = "orca_daemon_"
ENOUGH = 300
"""Histories in which a broken engine must be caught."""
SOON = {
    "redelivery_renews_no_lease": 24,
    "believe_answers_for_older_receipts": 24,
    "give_back_once": 25,
    "delete_behind_a_lost_message": 45,
    "redelivery_during_a_give_back_is_a_duplicate": 92,
    "wait_for_ever_for_a_receive": 23,
    "ask_an_empty_queue_again_at_once": 34,
    "leave_the_last_receive_to_sqs": 117,
    "keep_what_overtook": 135,
    "charge_where_all_are_refused": 50,
    "never_close_a_breaker": 50,
    "give_up_what_fails_with_others": 46,
    "park_for_ever": 35,
    "count_no_bytes": 59,
    "poll_while_paused": 40,
    "keep_leases_by_the_wall_clock": 48,
}
"""The history with which to begin, only to save time: all are tried before a mutant counts as not caught."""


@pytest.mark.parametrize("first", range(0, HISTORIES, 50))
def test_random_histories_keep_every_promise(first: int) -> None:
    problems = {seed: found for seed in range(first, first + 50) if (found := broken(play(draw(seed))))}
    assert not problems, f"repeat with: ./dev simulate --seed {min(problems)}"


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_engine_is_caught_for_the_promise_that_it_breaks(name: str) -> None:
    mutant, promise = MUTANTS[name]
    first = SOON.get(name, 0)

    def caught(seed: int) -> bool:
        return any(one.startswith(f"{promise}:") for one in broken(play(draw(seed))))

    with mutant():
        assert any(caught((first + seed) % ENOUGH) for seed in range(ENOUGH))


def test_every_promise_is_broken_by_some_mutant() -> None:
    assert {check.__name__ for check in CHECKS} - {promise for _, promise in MUTANTS.values()} == set()


def test_counters_equal_the_log_of_events() -> None:
    for seed in range(30):
        outcome = play(draw(seed))
        metrics = Metrics({"queue": "work"})
        for event in outcome.events:
            metrics.observe(event)
        log = outcome.record
        received = sum(len(entry.ids) for entry in log.of("polled"))
        assert (
            metrics.registry.get_sample_value(f"{PREFIX}messages_received_total", {"queue": "queue"})
            == received
        )
        for outcome_name, count in Counter(entry.facts["outcome"] for entry in log.of("left")).items():
            labels = {"queue": "queue", "outcome": outcome_name}
            assert metrics.registry.get_sample_value(f"{PREFIX}messages_settled_total", labels) == count


def test_a_history_repeats_exactly_from_its_seed() -> None:
    assert play(draw(36)).record.entries == play(draw(36)).record.entries
