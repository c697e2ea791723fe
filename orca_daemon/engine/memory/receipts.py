"""Receipt handles: which message one belongs to, and whether this queue gave it."""

from orca_daemon.engine.memory.errors import RequestRefusedError
from orca_daemon.engine.memory.stored import State, Stored


class Receipts:
    """Gives handles; each receive gets one of its own.  Nothing is remembered: a handle names its message."""

    def __init__(self, token: str, given: int = 0) -> None:
        self.token = token
        self.given = given

    def give(self, message: Stored) -> str:
        """A handle for this delivery; it replaces the one before."""
        self.given += 1
        message.receipt = f"{self.token}.{message.sequence}.{self.given}"
        return message.receipt

    def sequence(self, receipt: str) -> int:
        """The number of the message that the handle was given for.

        Raises:
            RequestRefusedError: this queue never gave it.
        """
        token, _, rest = receipt.partition(".")
        sequence, _, number = rest.partition(".")
        if token != self.token or not sequence.isdecimal() or not number.isdecimal():
            raise RequestRefusedError("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
        return int(sequence)


def holds(message: Stored, receipt: str) -> bool:
    """Whether the delivery of this handle still has its lease."""
    return message.state is State.IN_FLIGHT and message.receipt == receipt
