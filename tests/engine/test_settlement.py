"""Deletes are followed to their end, each for itself."""

import asyncio
from collections.abc import Sequence

from orca_daemon.engine.in_flight_message import InFlightMessage, Phase
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.settlement import CALLS, Settlement
from orca_daemon.engine.source import EntryOutcome
from tests.engine.rig import Rig, on_virtual_time


def one(name: str, *, receipt: str = "", lease: float = 120.0) -> InFlightMessage:
    envelope = Envelope(id=name, receipt=receipt or name, body="")
    return InFlightMessage(envelope, 0.0, deadline=lease, extend_at=40.0, phase=Phase.SETTLING)


def of(rig: Rig) -> Settlement:
    return Settlement(rig.context())


def test_a_message_that_came_again_during_its_delete_is_deleted_by_its_newer_receipt() -> None:
    async def story() -> None:
        rig = Rig()
        held = one("a", receipt="old")
        receipts: list[str] = []

        async def delete(envelopes: Sequence[Envelope]) -> Sequence[EntryOutcome]:
            receipts.extend(one.receipt for one in envelopes)
            await asyncio.sleep(1)
            return [EntryOutcome.GONE if one.receipt == "old" else EntryOutcome.DONE for one in envelopes]

        rig.meddle(delete=delete)
        settlement = of(rig)
        newer = Envelope(id="a", receipt="new", body="", receive_count=2)
        asyncio.get_running_loop().call_later(0.5, held.received_again, newer, 0.5, 120.0)
        await settlement.delete([held], urgent=True)
        assert receipts == ["old", "new"]
        assert not held.lost

    on_virtual_time(story())


def test_nobody_waits_for_the_delete_of_another_that_is_refused_again_and_again() -> None:
    async def story() -> None:
        rig = Rig()

        async def delete(envelopes: Sequence[Envelope]) -> Sequence[EntryOutcome]:
            return [EntryOutcome.FAILED if "bad" in each.id else EntryOutcome.DONE for each in envelopes]

        rig.meddle(delete=delete)
        settlement = of(rig)
        # As many calls as there may be at one time, each with an entry that cannot be deleted.
        bad = [asyncio.create_task(settlement.delete([one(f"bad{n}")], urgent=True)) for n in range(CALLS)]
        good = [asyncio.create_task(settlement.delete([one(str(n))], urgent=True)) for n in range(CALLS)]
        await asyncio.wait(good)
        late = one("late")
        await settlement.delete([late], urgent=False)
        assert asyncio.get_running_loop().time() < 1
        assert not any(task.done() for task in bad)
        assert not late.lost

    on_virtual_time(story())


def test_a_delete_that_waited_past_its_lease_for_its_turn_is_not_asked_for() -> None:
    async def story() -> None:
        rig = Rig()
        asked: list[str] = []

        async def delete(envelopes: Sequence[Envelope]) -> Sequence[EntryOutcome]:
            asked.extend(each.id for each in envelopes)
            await asyncio.sleep(30)
            return [EntryOutcome.DONE] * len(envelopes)

        rig.meddle(delete=delete)
        settlement = of(rig)
        others = [[one(f"{n}.{m}") for m in range(10)] for n in range(CALLS)]
        late = one("late", lease=20.0)
        await asyncio.gather(*(settlement.delete(each, urgent=True) for each in [*others, [late]]))
        assert late.lost
        assert sorted(asked) == sorted(each.envelope.id for batch in others for each in batch)

    on_virtual_time(story())
