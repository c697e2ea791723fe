"""Runs an iterator in a thread of its own, some items ahead of whoever uses them."""

import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from queue import Full, Queue
from typing import TypeVar

_T = TypeVar("_T")
_MOST = 4
"""Items that wait at one time."""
_ATTENTION = 0.1
"""Seconds after which the thread of an abandoned iterator notices it."""


def ahead(items: Iterator[_T], most: int = _MOST) -> Generator[_T, None, None]:
    """The same items, of which at most this many wait, and the error that ends them.

    If it is closed, the thread ends, too.
    """
    waiting: Queue[tuple[_T] | Exception | None] = Queue(most)
    ended = threading.Event()

    def put(item: "tuple[_T] | Exception | None") -> None:
        while not ended.is_set():
            with suppress(Full):
                waiting.put(item, timeout=_ATTENTION)
                return

    def read() -> None:
        try:
            for item in items:
                put((item,))
                if ended.is_set():
                    return
            put(None)
        except Exception as error:  # noqa: BLE001  raised below
            put(error)

    thread = threading.Thread(target=read, name="ahead", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item[0]
    finally:
        ended.set()
        thread.join()
