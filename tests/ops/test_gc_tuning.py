"""The garbage collector of a daemon."""

import gc
from collections.abc import Iterator

import pytest

from orca_daemon.ops.gc_tuning import tune_gc


@pytest.fixture
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.mark.usefixtures("as_before")
def test_what_the_start_made_stays_and_what_comes_after_is_still_collected() -> None:
    class Node:
        other: "Node"

    tune_gc()
    assert gc.get_freeze_count() > 10_000
    first, second = Node(), Node()
    first.other, second.other = second, first
    del first, second
    assert gc.collect() >= 2
