"""Why an operation cannot begin: the operator named something that does not exist."""

from collections.abc import Iterable, Sequence


class NotFoundError(Exception):
    """The database has no record of what the operator named."""


class AmbiguousJobError(NotFoundError):
    """Several jobs have ids that begin with what the operator named."""

    def __init__(self, text: str, candidates: Sequence[str], *, more: bool) -> None:
        """`candidates` are some of these jobs; `more`, whether there are others."""
        self.candidates = candidates
        names = ", ".join([*(repr(name) for name in candidates), *(["…"] if more else [])])
        super().__init__(f"the ids of several jobs begin with {text!r}: {names}")


class UnknownQueueError(Exception):
    """The settings give no URL for this queue."""

    def __init__(self, queue: str, known: Iterable[str]) -> None:
        """`known` are the names of the queues that have a URL."""
        self.queue, self.known = queue, sorted(known)
        names = ", ".join(self.known) or "none"
        super().__init__(f"no queue {queue!r} has a URL in the settings; those that do: {names}")
