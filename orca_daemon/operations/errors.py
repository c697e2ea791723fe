"""Why an operation cannot begin: the operator named something that does not exist."""

from collections.abc import Iterable


class NotFoundError(Exception):
    """The database has no record of what the operator named."""


class UnknownQueueError(Exception):
    """The settings give no URL for this queue."""

    def __init__(self, queue: str, known: Iterable[str]) -> None:
        """`known` are the names of the queues that have a URL."""
        self.queue, self.known = queue, sorted(known)
        names = ", ".join(self.known) or "none"
        super().__init__(f"no queue {queue!r} has a URL in the settings; those that do: {names}")
