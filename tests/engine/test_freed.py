"""What has left is freed at once: work for the collector would cost a quarter of the time of the engine."""

import gc

import pytest

from orca_daemon.engine.in_flight_message import InFlightMessage
from orca_daemon.engine.lanes import Run
from tests.engine.rig import Rig, on_virtual_time

COUNT = 50


async def _nothing(_: str) -> None:
    """A handler that does nothing."""


def _alive() -> list[Run | InFlightMessage]:
    """Return every run and message of this process, those that other tests left alive too."""
    return [one for one in gc.get_objects() if isinstance(one, Run | InFlightMessage)]


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "FIFO"])
def test_runs_and_messages_are_freed_without_the_collector(fifo: bool) -> None:  # noqa: FBT001  a case
    async def story() -> int:
        rig = Rig(fifo=fifo)
        rig.send(*map(str, range(COUNT)))
        engine = rig.engine(_nothing)
        gc.collect()
        before = {id(one): one for one in _alive()}
        gc.disable()
        try:
            await rig.live(engine, 60)
        finally:
            gc.enable()
        assert len(rig.settled()) == COUNT
        return sum(id(one) not in before for one in _alive())

    assert on_virtual_time(story()) == 0
