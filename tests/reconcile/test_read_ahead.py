"""Items are read ahead in a thread, which ends with whoever uses them."""

import threading
from collections.abc import Iterator
from itertools import count

import pytest

from orca_daemon.reconcile.read_ahead import ahead

SECONDS = 30


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "ahead"]


def test_all_items_come_in_their_order() -> None:
    assert list(ahead(iter([None, 1, 2]), 1)) == [None, 1, 2]
    assert threads() == []


def test_items_are_read_before_they_are_wanted_and_not_without_end() -> None:
    read, several = [], threading.Event()

    def counted() -> Iterator[int]:
        for number in count():
            read.append(number)
            if number == 3:
                several.set()
            yield number

    items = ahead(counted(), 4)
    assert next(items) == 0
    assert several.wait(SECONDS)
    items.close()
    assert threads() == []
    assert len(read) < 10


def test_an_error_comes_after_the_items_before_it() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    items = ahead(failing(), 4)
    assert next(items) == 1
    with pytest.raises(ZeroDivisionError):
        next(items)
    assert threads() == []


def test_items_wait_up_to_a_weight_and_one_item_in_any_case() -> None:
    read, heavy = [], threading.Event()

    def weights() -> Iterator[int]:
        for weight in (1, 1, 1, 50, 50):
            read.append(weight)
            if weight == 50:
                heavy.set()
            yield weight

    items = ahead(weights(), 3, lambda weight: weight)
    assert next(items) == 1
    assert heavy.wait(SECONDS)
    assert read == [1, 1, 1, 50]
    assert list(items) == [1, 1, 50, 50]
