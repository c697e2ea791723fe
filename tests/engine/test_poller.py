"""Polls: an answer that was lost is asked for again, and a poller that is dead or deaf is seen."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import pairwise

import pytest

from orca_daemon.engine.errors import SourceError, SourceErrorKind
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.poller import Poller
from orca_daemon.engine.queue_context import ConsumerOptions
from orca_daemon.ops.health import HealthLimits, holds, liveness
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
                raise SourceError(SourceErrorKind.UNAVAILABLE, "the answer was lost")
            return got

        rig.meddle(receive=lossy)

        async def handle(_: str) -> None:
            await asyncio.sleep(0.1)

        options = ConsumerOptions(pollers=4, wait=1.0, concurrency=50)
        await rig.live(rig.engine(handle, options=options), 20.0)
        assert len(rig.settled()) == 60

    on_virtual_time(story())


def test_runs_begin_before_the_next_receive() -> None:
    async def story() -> None:
        rig = Rig(fifo=True)
        for number in range(30):
            rig.send(str(number), group=str(number))
        receive = rig.source.receive
        begun: list[str] = []
        before_receive: list[int] = []

        async def noted(
            limit: int, *, wait: float, lease: float, attempt_id: str | None = None
        ) -> Sequence[Envelope]:
            before_receive.append(len(begun))
            return await receive(limit, wait=wait, lease=lease, attempt_id=attempt_id)

        rig.meddle(receive=noted)

        async def handle(body: str) -> None:
            begun.append(body)
            await asyncio.sleep(0.1)

        await rig.live(rig.engine(handle, options=ConsumerOptions(pollers=1, wait=1.0, concurrency=50)), 5.0)
        assert before_receive[:4] == [0, 10, 20, 30]

    on_virtual_time(story())


def test_what_a_lost_answer_had_brought_still_has_its_room_when_it_comes_again() -> None:
    async def story() -> None:
        rig = Rig(fifo=True)
        for number in range(29):
            rig.send(str(number), group=str(number))
        receive = rig.source.receive
        calls = 0

        async def lossy(
            limit: int, *, wait: float, lease: float, attempt_id: str | None = None
        ) -> Sequence[Envelope]:
            nonlocal calls
            calls += 1
            number = calls
            got = await receive(limit, wait=wait, lease=lease, attempt_id=attempt_id)
            await asyncio.sleep(0.01)
            if number == 2:
                raise SourceError(SourceErrorKind.UNAVAILABLE, "the answer was lost")
            return got

        rig.meddle(receive=lossy)
        held: list[int] = []

        async def handle(_: str) -> None:
            held.append(engine.consumers[0].permits.held)
            await asyncio.sleep(30)

        engine = rig.engine(handle, options=ConsumerOptions(pollers=2, wait=1.0, concurrency=25, held=25))
        await rig.live(engine, 20.0)
        assert max(held) == 25

    on_virtual_time(story())


def test_a_poller_that_ends_before_its_time_ends_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ended(_: Poller, **__: bool) -> None:
        return

    monkeypatch.setattr(Poller, "_loop", ended)

    async def story() -> None:
        rig = Rig()
        with pytest.raises(RuntimeError, match="poller of queue ended by itself"):
            await rig.live(rig.engine(_nothing), 20.0)

    on_virtual_time(story())


def test_a_poller_that_hangs_turns_liveness_red(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "timeout", lambda _: nullcontext())  # its watchdog sleeps, too

    async def story() -> None:
        rig = Rig()
        engine = rig.engine(_nothing)
        limits = HealthLimits.of(wait=1.0)
        running = asyncio.create_task(engine.run())

        async def silence(*_: object, **__: object) -> Sequence[Envelope]:
            await asyncio.Event().wait()
            raise AssertionError

        def live() -> bool:
            now = asyncio.get_running_loop().time()
            return holds(liveness(engine.state(), limits, now=now, loop_lag=0.0))

        await asyncio.sleep(2 * limits.poll_cycle)
        assert live()
        rig.meddle(receive=silence)
        await asyncio.sleep(limits.poll_cycle)
        assert live()
        await asyncio.sleep(2.0)
        assert not live()
        running.cancel()

    on_virtual_time(story())


async def _nothing(_: str) -> None:
    return


@pytest.mark.parametrize("fifo", [True, False], ids=["fifo", "standard"])
def test_receives_that_come_back_empty_at_once_have_a_pause_between_them(*, fifo: bool) -> None:
    async def story() -> None:
        rig = Rig(fifo=fifo)
        calls: list[float] = []

        async def short(*_: object, **__: object) -> Sequence[Envelope]:
            calls.append(asyncio.get_running_loop().time())
            await asyncio.sleep(0.01)
            return []

        rig.meddle(receive=short)
        await rig.live(rig.engine(_nothing, options=ConsumerOptions(pollers=4, wait=10.0)), 60.0)
        pauses = [later - earlier for earlier, later in pairwise(calls)]
        assert min(pauses) >= 1.0
        assert max(pauses) == pytest.approx(5.0)

    on_virtual_time(story())


def test_a_queue_that_waits_for_messages_has_no_pause() -> None:
    async def story() -> None:
        rig = Rig()

        async def send() -> None:
            for number in range(100):
                await asyncio.sleep(1.7)
                rig.send(str(number))
            await asyncio.Event().wait()

        await rig.live(rig.engine(_nothing, options=ConsumerOptions(pollers=1, wait=1.0)), 200.0, side=send())
        delays = [at - 1.7 * (int(body) + 1) for at, body in rig.handled]
        assert len(delays) == 100
        assert max(delays) < 0.01

    on_virtual_time(story())


def test_the_first_message_after_empty_answers_ends_the_pauses() -> None:
    async def story() -> None:
        rig = Rig()
        receive = rig.source.receive

        async def short(limit: int, *, lease: float, **_: object) -> Sequence[Envelope]:
            return await receive(limit, wait=0.0, lease=lease)  # a server without long polls

        async def send() -> None:
            await asyncio.sleep(30)
            rig.send(*(str(number) for number in range(500)))
            await asyncio.Event().wait()

        rig.meddle(receive=short)
        await rig.live(rig.engine(_nothing, options=ConsumerOptions(pollers=1, wait=1.0)), 60.0, side=send())
        assert len(rig.handled) == 500
        assert max(at for at, _ in rig.handled) < 36

    on_virtual_time(story())
