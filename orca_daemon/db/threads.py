"""Threads that run units of work for the event loop, at half the cost of `concurrent.futures`."""

import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from orca_daemon.db.held_connection import IDLE, HeldConnection
from orca_daemon.db.unit_of_work import UnitOfWork


class Threads:
    """At most `size` threads, started when they are needed.

    They are daemon threads: the end of the process does not wait for a server that does not answer, because
    what has not been committed by then must not be committed any more.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size, self._name = size, name
        self._queue: SimpleQueue[UnitOfWork[Any] | None] = SimpleQueue()
        self._started = 0
        self._closed = False

    def submit(self, unit: UnitOfWork[Any], busy: int) -> None:
        """Run the unit in one of the threads; `busy` units, this one included, run or wait for a thread.

        Raises:
            RuntimeError: the threads are closed.
        """
        if self._closed:
            raise RuntimeError("the database is closed")
        if self._started < min(busy, self._size):
            name = f"{self._name}_{self._started}"
            self._started += 1
            threading.Thread(target=_run, args=(self._queue,), name=name, daemon=True).start()
        self._queue.put(unit)

    def close(self) -> None:
        """End the threads after the units that they run; return units that wait by cancelling them."""
        self._closed = True
        with suppress(Empty):
            while True:
                if (unit := self._queue.get_nowait()) is not None:
                    unit.refuse()
        for _ in range(self._started):
            self._queue.put(None)


def _run(queue: "SimpleQueue[UnitOfWork[Any] | None]") -> None:
    held = HeldConnection()
    while (unit := _next(queue, held)) is not None:
        unit.run_in_thread(held)
        del unit  # an idle thread keeps no rows
    held.give_back()


def _next(queue: "SimpleQueue[UnitOfWork[Any] | None]", held: HeldConnection) -> UnitOfWork[Any] | None:
    try:
        return queue.get(timeout=IDLE)
    except Empty:
        held.give_back()
        return queue.get()
