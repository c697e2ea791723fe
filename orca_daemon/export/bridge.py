"""Lets threads call the S3 client, which belongs to the event loop, and lets the loop cancel those calls."""

import asyncio
import contextvars
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

T = TypeVar("T")


class Bridge:
    """Runs coroutines in the loop for threads, in the context of the task that made the bridge."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        # A thread has a context of its own; `engine.places` reports successes through a context variable.
        self._context = contextvars.copy_context()
        self._lock = threading.Lock()
        self._pending: set[Future[Any]] = set()
        self.closed = False

    def begin(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start a coroutine.  Raises CancelledError if the bridge is closed."""
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
        """Run a coroutine, and wait for its result."""
        return self.begin(work).result()

    def close(self) -> None:
        """Cancel the running coroutines and refuse new ones, so that no thread waits for them any more."""
        with self._lock:
            self.closed = True
            pending = tuple(self._pending)
        for future in pending:
            future.cancel()

    def _forget(self, future: "Future[Any]") -> None:
        with self._lock:
            self._pending.discard(future)
