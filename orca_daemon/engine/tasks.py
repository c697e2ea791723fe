"""Background tasks of the engine: started with a name, joined, cancelled; the first failure ends the engine.

`asyncio.TaskGroup` does less and more than is wanted here.  It cancels everything at the first failure: but
work that is cut short must not be given back by an engine that is broken, its leases run out instead.  And it
is joined once, at its end, while a drain joins each part in its turn.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
Ended: TypeAlias = Callable[["asyncio.Task[None]"], None]
CANCELLED_SECONDS = 2.0
"""How long cancelled work may take to stop before the process goes without it."""


class FirstFailure:
    """The first failure of any background task: no half-alive daemon.

    Written by done callbacks of tasks, and read by the task that runs the engine.
    """

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None

    def report(self, error: BaseException) -> None:
        """Record that a task failed; later failures are consequences, and are dropped."""
        if self._error is None:
            self._error = error
            self._wake()

    async def or_result(self, work: Awaitable[T]) -> T:
        """Return the result of `work`; cancel it and raise the first failure if a task fails before."""
        task = asyncio.ensure_future(work)
        self._waiter = asyncio.get_running_loop().create_future()
        if self._error is not None:
            self._wake()
        either: set[asyncio.Future[Any]] = {task, self._waiter}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
        if self._error is not None:
            raise self._error
        return await task

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Tasks:
    """The background tasks of one owner, who alone starts, joins and cancels them."""

    def __init__(self, failure: FirstFailure) -> None:
        self._failure = failure
        self._running: set[asyncio.Task[None]] = set()
        self._supervised: list[asyncio.Task[None]] = []
        self._stopping = False

    def __len__(self) -> int:
        return len(self._running)

    def start(
        self, work: Coroutine[Any, Any, None], name: str, ended: Ended | None = None
    ) -> "asyncio.Task[None]":
        """Start a task that ends by itself.  `ended` is called when it has, after a failure was reported."""
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        # One callback for both, because on the path of every message each costs an entry in the loop's queue.
        task.add_done_callback(partial(self._ended, ended))
        return task

    def supervise(
        self, work: Coroutine[Any, Any, None], name: str, *, until: asyncio.Event | None = None
    ) -> "asyncio.Task[None]":
        """Start a task that lives until `stop`: its end ends the engine, unless `until` is set."""
        task = asyncio.create_task(work, name=name)
        self._supervised.append(task)
        task.add_done_callback(lambda ended: self._supervised_ended(ended, until))
        return task

    async def join(self) -> None:
        """Wait until no task is left that was started, including those that were started meanwhile."""
        while self._running:
            await asyncio.wait(self._running)

    def cancel(self) -> None:
        """Cancel the tasks that were started."""
        for task in self._running:
            task.cancel()

    async def stop(self) -> None:
        """Cancel the supervised tasks, the last one first."""
        self._stopping = True
        for task in reversed(self._supervised):
            task.cancel()
            # The wait has a limit, because a side task may wait for a thread that does not end.
            await asyncio.wait({task}, timeout=CANCELLED_SECONDS)

    def _ended(self, ended: Ended | None, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failure.report(error)
        if ended is not None:
            ended(task)

    def _supervised_ended(self, task: "asyncio.Task[None]", until: asyncio.Event | None) -> None:
        if self._stopping:
            return
        if task.cancelled():
            self._failure.report(RuntimeError(f"the {task.get_name()} was cancelled, and not by us"))
        elif error := task.exception():
            self._failure.report(error)
        elif until is None or not until.is_set():
            self._failure.report(RuntimeError(f"the {task.get_name()} ended by itself"))


def being_cancelled() -> bool:
    """Whether the current task itself was cancelled: a task or call that it awaits may be, without that."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
