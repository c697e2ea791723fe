"""The ways in which work can fail, each with a consequence of its own."""

from enum import StrEnum


class Reject(Exception):  # noqa: N818  a verdict, not a fault
    """No retry can help: the message is dead-lettered with this reason.

    The reason is read by operators and kept as evidence, so it holds no secrets and no row contents.
    """


class DependencyDown(Exception):  # noqa: N818  a state of a dependency, not a fault
    """Something that the work needs cannot be reached: wait for it.

    The message is charged nothing, unless the same works for others meanwhile.

    Args:
        dependency: its name, as in `Route.needs`: `postgres`, `s3`.
        reason: what it answered, for operators.
        place: the part of it that failed, if it can fail in parts: `write BUCKET`, `read BUCKET`.  A place
            is judged by the results of the work there, everything else by its probe.
    """

    def __init__(self, dependency: str, reason: str = "", *, place: str = "") -> None:
        super().__init__(f"{dependency} is down: {reason}" if reason else f"{dependency} is down")
        self.dependency = dependency
        self.reason = reason
        self.place = place


class Refused(Exception):  # noqa: N818  a verdict, not a fault
    """The work was denied at a place: the message's own fault, unless everybody is denied there."""

    def __init__(self, dependency: str, reason: str, *, place: str) -> None:
        super().__init__(reason)
        self.dependency = dependency
        self.reason = reason
        self.place = place


class NotYet(Exception):  # noqa: N818  a state of a dependency, not a fault
    """The message is ahead of something that is still to come: wait for it, and charge the message nothing.

    The handler that raises it limits the wait: it rejects the message when that has waited long enough.
    """


class StuckError(Exception):
    """Work that was cancelled does not stop; only the end of the process can stop it."""


class RouteError(Exception):
    """The routes and the configured queues do not fit together."""


class SourceErrorKind(StrEnum):
    """What a caller needs to know about a call to the queue that failed."""

    THROTTLED = "throttled"
    ATTEMPT = "attempt"
    """The queue refused the receive attempt id."""
    MISSING = "missing"
    """The queue does not exist."""
    DENIED = "denied"
    TOO_LARGE = "too_large"
    """The dead-letter queue takes no message of this size, unless an operator raises its limit."""
    UNAVAILABLE = "unavailable"
    """Anything else; it is worth trying again."""


class SourceError(Exception):
    """A call to the queue failed as a whole."""

    def __init__(self, kind: SourceErrorKind, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
