"""The work of the messages of a queue, and how routes are paired with queues."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.errors import RouteError
from orca_daemon.engine.message import Delivery, Envelope
from orca_daemon.engine.source import BATCH

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)


class Handler(Protocol[M_contra]):
    """Do the work of a whole run of messages, or none of it.

    Return once that is durable: the messages are then deleted.  If a message is delivered twice, its work
    must change nothing the second time.  Raise `Reject` for a run that no retry can save, `DependencyDown` if
    something that it needs is unreachable, `Refused` if it is not allowed there, `NotYet` if something is
    still to come, anything else to be tried again.  A run of several messages that fails is repeated in
    smaller ones, so a handler need not report which message was at fault.

    A handler that is cancelled (a lease was lost, its time is up, the process ends) must not return before it
    is certain that none of its work can still become durable; until then the messages stay hidden.
    """

    async def __call__(self, run: Sequence[Delivery[M_contra]], /) -> None: ...  # noqa: D102  see the class


class GaveUp(Protocol[M_contra]):
    """Notify the requester that a message will not be worked again, before it is dead-lettered.

    Idempotent.  `message` is None if the body could not be decoded.  While this raises `DependencyDown`,
    `NotYet` or `Refused` at a place that is down, the message waits as for its work.  Anything else is tried
    five times; then the message is dead-lettered all the same, with both reasons.
    """

    async def __call__(  # noqa: D102  see the class
        self, message: M_contra | None, envelope: Envelope, reason: str, /
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Generic[M]):
    """Everything that the engine knows about the work of one queue.  The queue's URL is in the settings."""

    name: str
    decode: Callable[[Envelope], M]
    """Return the message.  An error of any kind is a rejection, with its text as the reason."""
    handle: Handler[M]
    gave_up: GaveUp[M] | None = None
    needs: frozenset[str] = frozenset()
    """Names of dependencies that have a probe; while one of them is down, this route's queue is not read."""
    by_place: frozenset[str] = frozenset()
    """Names of dependencies that can fail in parts, and are judged by the results of the work there."""
    places: Callable[[M], frozenset[tuple[str, str]]] | None = None
    """The dependencies and places that a message is known to need: while one is down, it is not tried."""
    batch: int = 1
    """The most messages of one run."""
    merge: bool = False
    """Whether one run may hold messages of several groups."""
    pipelined: bool = False
    """Whether a run holds up to ten messages although `batch` is 1: `handle` gets them one after another,
    each alone, and they are deleted together.

    A group's next message is then handled before the delete of the one before it is confirmed.  If one of
    them fails, or the process ends, those handled before it may be handled again, in order.
    """
    ahead: bool = True
    """Whether up to twenty messages are received while all slots are at work, if `batch` is 1, so that each
    receive returns ten.  Not for work of minutes: another replica could do what waits here.
    """
    concurrency: int = 4
    """Runs at the same time."""
    max_attempts: int = 5
    backoff: Backoff = field(default_factory=Backoff)
    time_limit: float = 300.0
    """Seconds that one attempt may take."""
    describe: Callable[[M], Mapping[str, str]] = lambda _: {}
    """Facts of a message for its log line: job, granule.  No secrets, no row contents."""

    def __post_init__(self) -> None:
        if self.pipelined and self.batch > 1:
            raise RouteError(f"the route {self.name!r} has runs of its own: it cannot be pipelined")

    @property
    def most(self) -> int:
        """The most messages that a run holds."""
        return BATCH if self.pipelined else self.batch

    @property
    def received_ahead(self) -> int:
        """How many messages may wait for a slot: two receives, so that one is answered in the meantime."""
        return 2 * BATCH if self.ahead and self.most == 1 else 0


def index(routes: Iterable[Route[Any]], bound: Mapping[str, str]) -> Mapping[str, Route[Any]]:
    """Pair each configured queue (name to route name) with its route.

    Raises:
        RouteError: two routes share a name, or a queue names a route that does not exist.
    """
    by_name: dict[str, Route[Any]] = {}
    for route in routes:
        if route.name in by_name:
            raise RouteError(f"two routes are named {route.name!r}")
        by_name[route.name] = route
    if unknown := sorted(set(bound.values()) - by_name.keys()):
        raise RouteError(f"no route is named {', '.join(unknown)}; known: {', '.join(sorted(by_name))}")
    return {queue: by_name[name] for queue, name in bound.items()}
