"""Random histories of the engine keep its promises, and each way to break the engine on purpose is seen."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.simulation.history import draw
from tests.simulation.mutants import MUTANTS
from tests.simulation.promises import broken
from tests.simulation.world import play

HISTORIES = 400
ENOUGH = 300
"""Histories in which a broken engine must be caught."""


@pytest.mark.parametrize("first", range(0, HISTORIES, 50))
def test_random_histories_keep_every_promise(first: int) -> None:
    problems = {seed: found for seed in range(first, first + 50) if (found := broken(play(draw(seed))))}
    assert not problems, f"repeat with: ./dev simulate --seed {min(problems)}"


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_broken_engine_is_caught(mutant: Callable[[], AbstractContextManager[object]]) -> None:
    with mutant():
        assert any(broken(play(draw(seed))) for seed in range(ENOUGH))


def test_a_history_repeats_exactly_from_its_seed() -> None:
    assert play(draw(36)).record.entries == play(draw(36)).record.entries
