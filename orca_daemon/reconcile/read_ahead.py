"""Runs an iterator in a thread of its own, some items ahead of whoever uses them."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

_T = TypeVar("_T")


def ahead(
    items: Iterable[_T], most: int, weigh: Callable[[_T], int] = lambda _: 1
) -> Generator[_T, None, None]:
    """The same items, and the error that ends them.  If it is closed, the thread ends, too.

    Args:
        items: read in the thread.
        most: the most that all waiting items weigh; one item waits whatever it weighs.
        weigh: the weight of an item.
    """
    queue = _Queue[_T](most, weigh)
    thread = threading.Thread(target=queue.fill, args=(items,), name="ahead", daemon=True)
    thread.start()
    try:
        yield from queue.items()
    finally:
        queue.abandon()
        thread.join()


class _Queue(deque[_T]):
    """Items between two threads."""

    def __init__(self, most: int, weigh: Callable[[_T], int]) -> None:
        super().__init__()
        self._most, self._weigh = most, weigh
        self._changed = threading.Condition()
        """Guards what follows, and the items."""
        self._weight = 0
        self._ended = self._abandoned = False
        self._error: Exception | None = None

    def fill(self, items: Iterable[_T]) -> None:
        """Put all items; called in the thread."""
        try:
            for item in items:
                if not self._put(item):
                    return
        except Exception as error:  # noqa: BLE001  raised where the items are used
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def items(self) -> Generator[_T, None, None]:
        """All items."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self or self._ended)
                if not self:
                    break
                item = self.popleft()
                self._weight -= self._weigh(item)
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        """Let `fill` end."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    def _put(self, item: _T) -> bool:
        weight = self._weigh(item)
        with self._changed:
            self._changed.wait_for(lambda: not self or self._weight + weight <= self._most or self._abandoned)
            if self._abandoned:
                return False
            self.append(item)
            self._weight += weight
            self._changed.notify_all()
        return True
