"""The keeper extends what it should, for as long as it may, and is heard when it fails."""

import asyncio
from collections.abc import Sequence

import pytest

from orca_daemon.engine.in_flight_message import END_MARGIN, InFlightMessage
from orca_daemon.engine.lanes import Run
from orca_daemon.engine.lease_keeper import LeaseKeeper
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import LONGEST_LEASE, EntryOutcome, Source
from orca_daemon.engine.tasks import FirstFailure
from tests.engine.rig import Rig, on_virtual_time

LEASE = 30.0


class Shelf:
    """A queue with nothing but messages in flight."""

    name = "queue"
    lease = LEASE
    longest = LONGEST_LEASE

    def __init__(self, source: Source, *in_hand: InFlightMessage) -> None:
        self.source = source
        self._held = in_hand
        self.gone: list[str] = []

    def in_flight(self) -> Sequence[InFlightMessage]:
        return self._held

    def runs(self) -> Sequence[Run]:
        return ()

    def lost(self, message: InFlightMessage) -> None:
        self.gone.append(message.envelope.id)

    def expired(self, run: Run) -> None:
        raise AssertionError(run)

    def expire(self, now: float) -> None:
        assert now < LONGEST_LEASE


def one(name: str, *, received: float = 0.0) -> InFlightMessage:
    envelope = Envelope(id=name, receipt=name, body=name)
    return InFlightMessage(envelope, received=received, deadline=LEASE, extend_at=LEASE / 3)


def test_a_message_near_its_twelve_hours_does_not_shorten_the_leases_of_others() -> None:
    async def story() -> None:
        rig = Rig()

        async def hide(envelopes: Sequence[Envelope], _: float) -> Sequence[EntryOutcome]:
            return [EntryOutcome.DONE] * len(envelopes)

        rig.meddle(hide=hide)
        old = one("old", received=END_MARGIN + 2 * LEASE - LONGEST_LEASE)
        shelf = Shelf(rig.source, old, *(one(name) for name in "abc"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(LeaseKeeper([shelf], lambda _: None, FirstFailure()).run(), 10 * LEASE)
        assert shelf.gone == ["old"]

    on_virtual_time(story())


def test_an_error_of_our_own_in_an_extension_is_reported_as_the_failure_of_the_engine() -> None:
    async def story() -> None:
        rig = Rig()
        failure = FirstFailure()

        async def hide(*_: object) -> Sequence[EntryOutcome]:
            raise KeyError("a bug")

        rig.meddle(hide=hide)
        keeper = LeaseKeeper([Shelf(rig.source, one("a"))], lambda _: None, failure)
        with pytest.raises(KeyError):
            await failure.or_result(keeper.run())

    on_virtual_time(story())


def test_a_newer_delivery_does_not_wait_for_an_extension_of_the_older_one_that_hangs() -> None:
    async def story() -> None:
        rig, now = Rig(), asyncio.get_running_loop().time
        message = one("a")
        newer = Envelope(id="a", receipt="newer", body="a")
        asked: list[tuple[float, str]] = []

        async def hide(envelopes: Sequence[Envelope], _: float) -> Sequence[EntryOutcome]:
            asked.append((now(), envelopes[0].receipt))
            if len(asked) == 1:
                message.received_again(newer, now(), LEASE)
                await asyncio.sleep(LEASE)
            return [EntryOutcome.DONE]

        rig.meddle(hide=hide)
        shelf = Shelf(rig.source, message)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(LeaseKeeper([shelf], lambda _: None, FirstFailure()).run(), 2 * LEASE)
        third = LEASE / 3
        assert asked[:3] == [(third, "a"), (2 * third, "newer"), (3 * third, "newer")]
        assert shelf.gone == []

    on_virtual_time(story())
