"""The end of a message that was given up: everybody who waits for its objects is told, once."""

import re

from orca_daemon.aws.s3copy import Copier, Place
from orca_daemon.db.database import Database
from orca_daemon.engine.message import Envelope
from orca_daemon.queues.recovery.postbox import Postbox
from orca_daemon.queues.recovery.rows import Row, of_object
from orca_daemon.queues.recovery.shapes import is_restore, parts_of
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.recovery import RecoveryMessage


class Closing:
    """Posts FAILED for all who wait, and SUCCESS where the object has arrived after all."""

    def __init__(self, copier: Copier, postbox: Postbox, database: Database | None) -> None:
        self._copier, self._postbox, self._database = copier, postbox, database

    async def __call__(self, message: RecoveryMessage | None, _: Envelope, reason: str, /) -> None:
        """Close all rows of a message; `reason` is for operators."""
        if isinstance(message, CopyRequest):
            await self._close(*parts_of(message), reason)
        elif message is not None:
            restored = [record for record in message.records if is_restore(record.name)]
            for place in dict.fromkeys(Place(record.bucket, record.key) for record in restored):
                await self._close_all(place, reason)

    async def _close_all(self, source: Place, reason: str) -> None:
        if self._database is None:
            return
        waiting = [row for row in await self._database.transact(of_object, source) if row.open]
        if not waiting or await self._restoring(source):
            return
        for row in waiting:
            await self._close(source, Place(row.destination, source.key), row, reason)

    async def _close(self, source: Place, target: Place, row: Row, reason: str) -> None:
        # A neighbour in the same message, or an attempt whose news did not get through.
        if await self._arrived(source, target):
            await self._postbox.succeeded(row)
        else:
            await self._postbox.failed(row, sentence(reason))

    async def _restoring(self, source: Place) -> bool:
        """Whether the restore is still running: then its completion is still to come, in its own message."""
        try:
            return (await self._copier.look(source)).restoring
        except Exception:  # noqa: BLE001  that may be why the message was given up
            return False

    async def _arrived(self, source: Place, target: Place) -> bool:
        try:
            return await self._copier.holds(source, target)
        except Exception:  # noqa: BLE001  what cannot be shown to be there has not arrived
            return False


def sentence(reason: str) -> str:
    """The reason as operators read it: without the name of our class."""
    return re.sub(r"^(CopyFailed|Refused|SourceChanged|Unfit): ", "", reason)
