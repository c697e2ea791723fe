"""Lets threads use the S3 client, which lives in the event loop, and lets the loop call them off."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

T = TypeVar("T")


class Bridge:
    """Runs coroutines in the loop on behalf of threads.  Made in the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._pending: set[Future[Any]] = set()
        self.closed = False

    def begin(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start it.  Raises CancelledError once the bridge is closed."""
        with self._lock:
            if self.closed:
                work.close()
                raise CancelledError
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._pending.add(future)
        future.add_done_callback(self._forget)
        return future

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it and wait."""
        return self.begin(work).result()

    def close(self) -> None:
        """Cancel what runs and refuse what follows: the threads that wait for it come to an end."""
        with self._lock:
            self.closed = True
            pending = tuple(self._pending)
        for future in pending:
            future.cancel()

    def _forget(self, future: "Future[Any]") -> None:
        with self._lock:
            self._pending.discard(future)
