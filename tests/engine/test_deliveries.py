"""What a handler is told of a message besides its body."""

from collections.abc import Sequence

from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.errors import NotYet
from orca_daemon.engine.message import Delivery
from tests.engine.rig import Rig, down, on_virtual_time


def test_a_delivery_says_for_how_long_its_message_has_been_in_hand() -> None:
    held: list[float] = []

    async def wait(run: Sequence[Delivery[str]], /) -> None:
        held.extend(delivery.held_seconds for delivery in run)
        if held[-1] < 100.0:
            raise NotYet("what it needs is not there")

    async def story() -> None:
        rig = Rig()
        rig.send("a")
        engine = rig.engine(lambda _: down(), handle=wait, backoff=Backoff(base=10.0, cap=10.0))
        await rig.live(engine, 600)
        assert rig.settled() == [("a", "deleted")]

    on_virtual_time(story())
    assert held[0] < 1.0
    assert held == sorted(held)
    assert 100.0 <= held[-1] < 120.0
