"""Polls: an answer that was lost is asked for again, whoever had asked for it."""

import asyncio
from collections.abc import Sequence

from orca_daemon.engine.consumer import Options
from orca_daemon.engine.errors import SourceError
from orca_daemon.engine.message import Envelope
from tests.engine.rig import Rig, on_virtual_time


def test_an_extra_poller_asks_again_for_the_answer_that_it_lost() -> None:
    async def story() -> None:
        rig = Rig(fifo=True)
        for number in range(60):
            rig.send(str(number), group=str(number))
        receive = rig.source.receive
        calls: list[str | None] = []

        async def lossy(
            limit: int, *, wait: float, lease: float, attempt_id: str | None = None
        ) -> Sequence[Envelope]:
            calls.append(attempt_id)
            got = await receive(limit, wait=wait, lease=lease, attempt_id=attempt_id)
            await asyncio.sleep(0.1)
            if len(calls) == 3:
                raise SourceError("unavailable", "the answer was lost")
            return got

        rig.meddle(receive=lossy)

        async def handle(_: str) -> None:
            await asyncio.sleep(0.1)

        options = Options(pollers=4, wait=1.0, concurrency=50)
        await rig.live(rig.engine(handle, options=options), 20.0)
        assert len(rig.settled()) == 60

    on_virtual_time(story())
