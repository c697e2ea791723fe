"""Lets threads use the S3 client, which lives in the event loop, and lets the loop call them off."""

import asyncio
import contextvars
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

T = TypeVar("T")


class Bridge:
    """Runs coroutines in the loop on behalf of threads, as if the task that made it ran them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        # A thread has a context of its own, in which nobody listens for what succeeded.
        self._context = contextvars.copy_context()
        self._lock = threading.Lock()
        self._pending: set[Future[Any]] = set()
        self.closed = False

    def begin(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start it.  Raises CancelledError once the bridge is closed."""
        with self._lock:
            if self.closed:
                work.close()
                raise CancelledError
            future = asyncio.run_coroutine_threadsafe(self._in_context(work), self._loop)
            self._pending.add(future)
        future.add_done_callback(self._forget)
        return future

    async def _in_context(self, work: Coroutine[Any, Any, T]) -> T:
        return await self._loop.create_task(work, context=self._context)

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
