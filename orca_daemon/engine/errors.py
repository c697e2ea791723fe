"""The ways in which work can fail, each with a consequence of its own."""


class Reject(Exception):  # noqa: N818  a verdict, not a fault
    """No retry can help: the message is dead-lettered with this reason.

    The reason is read by operators and kept as evidence, so it holds no secrets and no row contents.
    """


class DependencyDown(Exception):  # noqa: N818  a state of the world, not a fault
    """Something that the work needs cannot be reached: wait for it.

    The message is charged nothing, unless the same works for others meanwhile.

    Args:
        dependency: its name, as in `Route.needs`: `postgres`, `s3`.
        reason: what it answered, for operators.
        place: the part of it that failed, where it can fail in parts: `write BUCKET`, `read BUCKET`.  A place
            is judged by what the work meets there, everything else by its probe.
    """

    def __init__(self, dependency: str, reason: str = "", *, place: str = "") -> None:
        super().__init__(f"{dependency} is down: {reason}" if reason else f"{dependency} is down")
        self.dependency = dependency
        self.reason = reason
        self.place = place


class Refused(Exception):  # noqa: N818  a verdict, not a fault
    """The work was denied at a place: the message's own fault, unless nobody is allowed there any more."""

    def __init__(self, dependency: str, reason: str, *, place: str) -> None:
        super().__init__(reason)
        self.dependency = dependency
        self.reason = reason
        self.place = place


class NotYet(Exception):  # noqa: N818  a state of the world, not a fault
    """The message is ahead of something that is still to come: wait for it, and charge the message nothing.

    Whoever raises it looks at the message's age, and rejects the message when that is enough.
    """


class StuckError(Exception):
    """Work that was cancelled does not stop; only the end of the process can stop it."""


class RouteError(Exception):
    """The routes and the configured queues do not fit together."""


class SourceError(Exception):
    """A call to the queue failed as a whole.

    `kind` is what the caller needs to know: `throttled`, `attempt` (the receive attempt id was refused),
    `missing` (no such queue), `denied`, `too_large` (the dead-letter queue takes no message of this size, and
    will not until somebody raises its limit), or `unavailable` (anything else, worth trying again).
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
