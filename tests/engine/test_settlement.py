"""A delete that is overtaken by a newer delivery is asked for again, with the newer receipt."""

import asyncio
import random
from collections.abc import Sequence

from orca_daemon.engine.held import Held
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.settlement import Settlement
from orca_daemon.engine.source import Outcome
from tests.engine.rig import Rig, on_virtual_time


def test_a_message_that_came_again_during_its_delete_is_deleted_by_its_newer_receipt() -> None:
    async def story() -> None:
        rig = Rig()
        held = Held(Envelope(id="a", receipt="old", body=""), received=0.0, deadline=120.0, extend_at=40.0)
        receipts: list[str] = []

        async def delete(envelopes: Sequence[Envelope]) -> Sequence[Outcome]:
            receipts.extend(one.receipt for one in envelopes)
            await asyncio.sleep(1)
            return [Outcome.GONE if one.receipt == "old" else Outcome.DONE for one in envelopes]

        rig.meddle(delete=delete)
        settlement = Settlement("q", rig.source, linger=0.05, observe=rig.events.append, rng=random.Random(1))
        newer = Envelope(id="a", receipt="new", body="", receive_count=2)
        asyncio.get_running_loop().call_later(0.5, held.renew, newer, 0.5, 120.0)
        await settlement.delete([held], urgent=True)
        assert receipts == ["old", "new"]
        assert not held.lost

    on_virtual_time(story())
