"""Messages on their way: given to receivers, hidden while they are away, taken back or deleted by handle."""

from collections.abc import Callable
from contextlib import closing

from orca_daemon.engine.memory.errors import RequestRefusedError, invalid
from orca_daemon.engine.memory.options import QueueOptions
from orca_daemon.engine.memory.receipts import Receipts, holds
from orca_daemon.engine.memory.record import Recorder
from orca_daemon.engine.memory.shelf import Shelf
from orca_daemon.engine.memory.stored import Received, Stored

_GONE = "Message does not exist or is not available for visibility timeout change."
_TOO_LONG = "Total VisibilityTimeout for the message is beyond the limit [{} seconds]."


class Deliveries:
    """The part of a queue that knows leases and handles.  Times are moments of the queue's clock."""

    def __init__(self, shelf: Shelf, receipts: Receipts, recorder: Recorder, options: QueueOptions) -> None:
        self._shelf = shelf
        self._receipts = receipts
        self._record = recorder.record
        self._fifo = options.fifo
        self._longest = options.longest_lease

    def give(self, limit: int, now: float, lease: float, divert: Callable[[Stored], bool]) -> list[Received]:
        """Deliver up to `limit` messages, except those that `divert` takes out of the way."""
        taken: list[Received] = []
        with closing(self._shelf.candidates()) as candidates:
            for message in candidates:
                if divert(message):
                    continue
                self._shelf.take(message)
                taken.append(self._deliver(message, now, lease))
                if len(taken) == limit:
                    break
        # Only now: with a lease of 0 the same message would be found again.
        for each in taken:
            self._hide(each.message, now, lease)
        return taken

    def repeat(self, deliveries: list[Received], now: float, lease: float) -> None:
        """The receiver did not get the answer: return the same deliveries again, their leases from now on."""
        for each in deliveries:
            self._record(now, "replayed", each.message, seconds=lease)
            self._hide(each.message, now, lease)

    def delete(self, receipt: str, now: float) -> None:
        """See `MemoryQueue.delete`."""
        message = self._shelf.get(self._receipts.sequence(receipt))
        if message is None:
            return  # deleted before, which is no error
        if self._fifo and not holds(message, receipt):
            raise _expired(receipt)
        if message.receipt != receipt:
            self._record(now, "ignored", message)
            return
        self._shelf.remove(message)
        self._record(now, "deleted", message)

    def hide(self, receipt: str, now: float, seconds: float) -> None:
        """See `MemoryQueue.hide`."""
        message = self._shelf.get(self._receipts.sequence(receipt))
        if message is None:
            raise invalid("ReceiptHandle", receipt, _GONE)
        if not holds(message, receipt):
            raise (
                _expired(receipt)
                if self._fifo
                else RequestRefusedError("MessageNotInflight", "Not in flight.")
            )
        if now + seconds > message.received_at + self._longest:
            raise invalid("VisibilityTimeout", seconds, _TOO_LONG.format(f"{self._longest:.0f}"))
        message.modified += 1
        self._record(now, "hidden", message, seconds=seconds)
        self._hide(message, now, seconds)

    def _deliver(self, message: Stored, now: float, lease: float) -> Received:
        receipt = self._receipts.give(message)
        message.receive_count += 1
        message.received_at = now
        message.first_received_at = message.first_received_at or now
        self._record(now, "received", message, seconds=lease)
        return Received(message, receipt, message.receive_count, message.first_received_at)

    def _hide(self, message: Stored, now: float, seconds: float) -> None:
        if seconds > 0:
            self._shelf.hide(message, now + seconds)
        else:
            self._shelf.show(message)


def _expired(receipt: str) -> RequestRefusedError:
    return invalid("ReceiptHandle", receipt, "The receipt handle has expired.")
