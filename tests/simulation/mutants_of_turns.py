"""The engine broken on purpose where the messages of a run are handled one after another."""

import asyncio
from contextlib import AbstractContextManager, suppress
from unittest.mock import patch

from orca_daemon.engine.dispatcher import Dispatcher
from orca_daemon.engine.lanes import Run
from orca_daemon.engine.run_executor import RunExecutor
from tests.simulation.mutant import breaks


@breaks("i5_deletes_in_order")
def try_again_before_the_deletes_are_confirmed() -> AbstractContextManager[object]:
    """Go on with a failed message while the messages before it are being deleted."""
    narrow = Dispatcher.narrow

    async def _narrow(self: Dispatcher, run: Run, number: int) -> None:
        going_on = narrow(self, run, number)
        with suppress(StopIteration):  # it does not wait if nothing is left to delete
            going_on.send(None)
        going_on.close()
        run.settling = 0

    return patch.object(Dispatcher, "narrow", _narrow)


@breaks("i5_deletes_in_order")
def keep_what_overtook() -> AbstractContextManager[object]:
    """Try a failed message again although one before it comes back."""
    return patch.object(Run, "overtaken", property(lambda _: False, lambda *_: None), create=True)


@breaks("i3_group_order")
def go_on_after_a_failure() -> AbstractContextManager[object]:
    """Handle the messages behind one that failed before it has another attempt."""

    async def _attempt_each(self: RunExecutor, run: Run) -> BaseException | None:
        first: tuple[int, BaseException] | None = None
        for number, message in enumerate(run.messages):
            run.turn_to(message, asyncio.get_running_loop().time(), self._route.time_limit)
            error = await self._attempt(run)
            if error is not None and first is None:
                first = number, error
        if first is None:
            return None
        if len(run.messages) > 1:
            await self._turns.narrow(run, first[0])
        return first[1]

    return patch.object(RunExecutor, "_attempt_each", _attempt_each)


@breaks("i11_drain")
def finish_all_turns_while_closing() -> AbstractContextManager[object]:
    """Begin the next message of a run although the engine is to stop."""

    async def _attempt_each(self: RunExecutor, run: Run) -> BaseException | None:
        for number, message in enumerate(run.messages):
            run.turn_to(message, asyncio.get_running_loop().time(), self._route.time_limit)
            if error := await self._attempt(run):
                if len(run.messages) > 1:
                    await self._turns.narrow(run, number)
                return error
        return None

    return patch.object(RunExecutor, "_attempt_each", _attempt_each)
