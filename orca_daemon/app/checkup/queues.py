"""Queues: type, redrive policy, dead-letter queue, and whether this role may work on them."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

from orca_daemon.app.checkup.findings import Finding, advice, ok, remedy, wrong
from orca_daemon.aws.clients import Clients
from orca_daemon.aws.queue_location import other_host, other_region
from orca_daemon.aws.sqs import SqsSource
from orca_daemon.engine.errors import SourceError
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import QueueFacts
from orca_daemon.settings import Settings
from orca_daemon.wire.queue_url import identity

ENOUGH_RECEIVES = 5
ORDERED = frozenset({"status_update", "internal_report"})
"""Routes whose messages depend on each other."""


@dataclass(frozen=True, slots=True)
class DeadLetterFacts:
    """What the dead-letter queue says about itself."""

    fifo: bool
    retention: float
    count: int


async def findings(settings: Settings, clients: Clients) -> list[Finding]:
    """Look at every queue that is on."""
    found: list[Finding] = []
    for name, queue in settings.bound.items():
        found += await _one(name, queue.route or name, queue.url or "", clients)
    routes = {queue.route or name for name, queue in settings.bound.items()}
    posted = settings.status_url if "recovery" in routes else None
    if posted and identity(posted) not in {identity(queue.url or "") for queue in settings.bound.values()}:
        found.append(await _posted(posted, clients))
    return found


async def _posted(url: str, clients: Clients) -> Finding:
    """The queue that progress is posted to, where another process reads it."""
    subject = "status queue"
    if sentence := other_region(url, clients.control):
        return wrong(subject, f"recovery.status_url: {sentence}")
    try:
        facts = await SqsSource(clients.poll, clients.control, url).describe()
    except SourceError as error:
        if error.kind == "missing":
            return wrong(subject, f"recovery.status_url: {url} does not exist", "create it")
        return wrong(subject, f"recovery.status_url: cannot be looked at: {error}", remedy(error))
    if not facts.fifo:
        return advice(
            subject, "a standard queue keeps no order, which status updates need", "use a FIFO queue"
        )
    return ok(subject, "recovery.status_url: FIFO, read by another process")


async def _one(name: str, route: str, url: str, clients: Clients) -> list[Finding]:
    subject = f"queue {name}"
    if sentence := other_region(url, clients.control):
        return [wrong(subject, sentence)]
    source = SqsSource(clients.poll, clients.control, url)
    try:
        facts = await source.describe()
        dead = await _dead_letters(clients, facts)
    except SourceError as error:
        if error.kind == "missing":
            return [wrong(subject, f"{url} does not exist, or its dead-letter queue does not", "create it")]
        return [wrong(subject, f"cannot be looked at: {error}", remedy(error))]
    unused = other_host(url, clients.control)
    unused_host = [advice(subject, unused, "correct the URL or the endpoint")] if unused else []
    return [*judge(subject, route, facts, dead), *unused_host, *await _permissions(subject, source)]


async def _dead_letters(clients: Clients, facts: QueueFacts) -> DeadLetterFacts | None:
    if facts.dead_letter is None:
        return None
    source = SqsSource(clients.poll, clients.control, facts.dead_letter)
    described, depth = await source.describe(), await source.depth()
    return DeadLetterFacts(described.fifo, described.retention, depth.visible + depth.inflight)


def judge(subject: str, route: str, facts: QueueFacts, dead: DeadLetterFacts | None) -> Iterator[Finding]:
    """What there is to say about a queue, by what it says about itself."""
    kind = "FIFO" if facts.fifo else "standard"
    yield ok(subject, f"{kind}, visibility {facts.visibility:g} s, kept {facts.retention / 86400:g} days")
    if route in ORDERED and not facts.fifo:
        yield advice(
            subject, "a standard queue keeps no order, which these messages need", "use a FIFO queue"
        )
    if dead is None:
        yield advice(
            subject, "has no dead-letter queue: messages that fail stay on it", "give it a redrive policy"
        )
        return
    if dead.fifo is not facts.fifo:
        yield wrong(subject, "its dead-letter queue is of the other type", f"make it a {kind} queue")
    if facts.dead_letter_takes_less:
        yield wrong(
            subject,
            f"it takes messages of {facts.largest} bytes and its dead-letter queue of "
            f"{facts.dead_letter_largest}: a bad message in between cannot be dead-lettered",
            f"set MaximumMessageSize of the dead-letter queue to {facts.largest}",
        )
    if facts.max_receives is not None and facts.max_receives < ENOUGH_RECEIVES:
        yield advice(
            subject,
            f"maxReceiveCount is {facts.max_receives}: SQS counts deliveries that nobody got",
            f"set it to {ENOUGH_RECEIVES} or more",
        )
    # In a standard dead-letter queue, age counts from the first send (AWS: SQS dead-letter queues).
    if dead.retention <= facts.retention and not facts.fifo:
        yield advice(
            subject,
            "its dead-letter queue keeps messages no longer than it does, and their age goes on counting",
            "give the dead-letter queue 14 days",
        )
    if dead.count:
        name = subject.removeprefix("queue ")
        yield advice(subject, f"about {dead.count} dead letters", f"see: orca-daemon dlq list {name}")


async def _permissions(subject: str, source: SqsSource) -> list[Finding]:
    """Call each action with a dummy receipt handle: without permission SQS answers AccessDenied, with it the
    call changes nothing.
    """
    nobody = [Envelope(id="check", receipt="orca-daemon-check", body="")]
    tried: Mapping[str, Callable[[], Awaitable[object]]] = {
        "sqs:DeleteMessage": lambda: source.delete(nobody),
        "sqs:ChangeMessageVisibility": lambda: source.hide(nobody, 0),
    }
    refused = []
    for action, call in tried.items():
        try:
            await call()
        except SourceError as error:
            if error.kind == "denied":
                refused.append(action)
    if not refused:
        return []
    return [wrong(subject, f"this role may not {' and '.join(refused)}", "see deploy/iam/policy.json")]
