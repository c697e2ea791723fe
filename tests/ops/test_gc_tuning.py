"""The garbage collector after the start of the daemon."""

import gc
from collections.abc import Iterator

import pytest

from orca_daemon.ops.gc_tuning import tune_gc


@pytest.fixture
def gc_restored() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.mark.usefixtures("gc_restored")
def test_objects_of_the_start_are_frozen_and_later_garbage_is_collected() -> None:
    class Node:
        other: "Node"

    tune_gc()
    assert gc.get_freeze_count() > 10_000
    first, second = Node(), Node()
    first.other, second.other = second, first
    del first, second
    assert gc.collect() >= 2
