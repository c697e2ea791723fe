"""Background tasks: the first failure is raised, and what was started is joined."""

import asyncio

import pytest

from orca_daemon.engine.tasks import FirstFailure, Tasks
from tests.engine.rig import on_virtual_time


async def _fail(after: float, reason: str) -> None:
    await asyncio.sleep(after)
    raise ValueError(reason)


def test_the_first_failure_ends_the_work_that_waits_for_it() -> None:
    async def story() -> None:
        failure = FirstFailure()
        one, other = Tasks(failure), Tasks(failure)
        one.start(_fail(2.0, "later"), "one")
        other.start(_fail(1.0, "first"), "other")
        with pytest.raises(ValueError, match="first"):
            await failure.or_result(asyncio.sleep(10))
        assert asyncio.get_running_loop().time() == 1.0
        await one.join()
        with pytest.raises(ValueError, match="first"):
            await failure.or_result(asyncio.sleep(10))

    on_virtual_time(story())


def test_a_join_waits_for_tasks_that_are_started_meanwhile() -> None:
    async def story() -> None:
        tasks = Tasks(FirstFailure())
        ended: list[str] = []

        async def first() -> None:
            await asyncio.sleep(1)
            tasks.start(asyncio.sleep(1), "second", lambda task: ended.append(task.get_name()))

        tasks.start(first(), "first", lambda task: ended.append(task.get_name()))
        await tasks.join()
        assert ended == ["first", "second"]
        assert not tasks

    on_virtual_time(story())


def test_a_cancelled_task_is_no_failure() -> None:
    async def story() -> None:
        failure = FirstFailure()
        tasks = Tasks(failure)
        tasks.start(asyncio.sleep(10), "cancelled")
        tasks.cancel()
        await tasks.join()
        assert await failure.or_result(asyncio.sleep(1, "result")) == "result"

    on_virtual_time(story())


def test_a_supervised_task_that_ends_by_itself_ends_the_engine() -> None:
    async def story() -> None:
        failure = FirstFailure()
        tasks = Tasks(failure)
        tasks.supervise(asyncio.sleep(1), "short-lived task")
        with pytest.raises(RuntimeError, match="the short-lived task ended by itself"):
            await failure.or_result(asyncio.sleep(10))

    on_virtual_time(story())


def test_supervised_tasks_are_stopped_last_one_first_and_that_is_no_failure() -> None:
    async def story() -> None:
        failure = FirstFailure()
        tasks = Tasks(failure)
        stopped: list[str] = []

        async def live(name: str) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.append(name)

        for name in ("first", "second"):
            tasks.supervise(live(name), name)
        await asyncio.sleep(0)
        await tasks.stop()
        assert stopped == ["second", "first"]
        await failure.or_result(asyncio.sleep(1))

    on_virtual_time(story())
