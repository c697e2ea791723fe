"""Judges queues: region, type, redrive policy, dead-letter queue, and whether this role may use them."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orca_daemon.app.checkup.findings import ALLOW, Finding, Grade, StartAction, advice, ok, remedy, wrong
from orca_daemon.app.checkup.settings import handlers
from orca_daemon.aws.clients import Clients
from orca_daemon.aws.sqs import SqsSource, other_host, other_region
from orca_daemon.engine.errors import SourceError
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import QueueFacts
from orca_daemon.queues import recovery, restore
from orca_daemon.settings import Settings, shown
from orca_daemon.wire.queue_url import identity

ENOUGH_RECEIVES = 5
"""SQS counts a delivery even if its answer is lost, and each restart of the daemon can add one."""
ORDERED = frozenset({"status_update", "internal_report"})
"""Routes whose messages depend on each other."""
STATUS_QUEUE = "status queue"
_NO_ORDER = "a standard queue keeps no order, which {} need"


@dataclass(frozen=True, slots=True)
class DeadLetterFacts:
    """Attributes of a dead-letter queue (AWS: GetQueueAttributes)."""

    fifo: bool
    retention: float
    """Seconds."""
    count: int


async def findings(settings: Settings, clients: Clients) -> list[Finding]:
    """Check every queue that is on, and the status queue if another process reads it."""
    results = list(judge_urls(settings, clients.control))
    refused = {each.subject for each in results if each.at_start is StartAction.REFUSE}
    for name, queue in settings.bound.items():
        if subject(name) not in refused:
            results += await _check_queue(name, queue.route or name, queue.url or "", clients)
    posted = foreign_status_url(settings)
    if posted and STATUS_QUEUE not in refused:
        results.append(await _check_status_queue(posted, clients))
    return results


def subject(name: str) -> str:
    """How findings name a queue."""
    return f"queue {name}"


def foreign_status_url(settings: Settings) -> str | None:
    """The queue that recoveries post their progress to, if another process reads it."""
    posting = {recovery.NAME, restore.NAME} & set(handlers(settings).values())
    posted = settings.status_url if posting else None
    own = {identity(queue.url or "") for queue in settings.bound.values()}
    return posted if posted and identity(posted) not in own else None


def judge_urls(settings: Settings, sqs: Any) -> Iterator[Finding]:
    """Findings about regions and hosts of URLs; a queue without a finding can be asked."""
    urls = {subject(name): queue.url or "" for name, queue in settings.bound.items()}
    if posted := foreign_status_url(settings):
        urls[STATUS_QUEUE] = posted
    for named, url in urls.items():
        if sentence := other_region(url, sqs):
            yield wrong(named, sentence, at_start=StartAction.REFUSE)
        elif sentence := other_host(url, sqs):
            queue = {"queue": named.removeprefix("queue ")}
            yield advice(named, sentence, "correct the URL or the endpoint", "queue.url_host_unused", queue)


def judge_failure(name: str, url: str, error: Exception) -> Finding:
    """What it means that the attributes of a queue could not be read."""
    match getattr(error, "kind", ""):
        case "missing":
            text = f"{url} does not exist"
            do = f"create it, or correct {shown(f'queues.{name}.url')}"
            return wrong(subject(name), text, do, StartAction.REFUSE)
        case "denied":
            return wrong(subject(name), f"{url}: {error}", ALLOW, StartAction.REFUSE)
        case _:
            return wrong(subject(name), f"cannot be read: {error}", remedy(error), StartAction.WAIT)


def judge_facts(name: str, route: str, facts: QueueFacts) -> Iterator[Finding]:
    """Findings about a queue's own attributes."""
    kind = "FIFO" if facts.fifo else "standard"
    yield ok(
        subject(name), f"{kind}, visibility {facts.visibility:g} s, kept {facts.retention / 86400:g} days"
    )
    if route in ORDERED and not facts.fifo:
        yield advice(subject(name), _NO_ORDER.format("these messages"), "use a FIFO queue")
    if facts.dead_letter is None:
        yield advice(
            subject(name),
            "has no dead-letter queue: messages that fail stay on it",
            "give it a redrive policy",
            "queue.no_dead_letter_queue",
            {"queue": name},
        )
        return
    if facts.dead_letter_takes_less:
        yield _judge_sizes(name, facts)
    if facts.max_receives is not None and facts.max_receives < ENOUGH_RECEIVES:
        yield advice(
            subject(name),
            f"maxReceiveCount is {facts.max_receives}: SQS also counts deliveries whose answer is lost",
            f"set it to {ENOUGH_RECEIVES} or more",
            "queue.few_receives",
            {"queue": name, "max_receive_count": facts.max_receives},
        )


def _judge_sizes(name: str, facts: QueueFacts) -> Finding:
    """The start proceeds: only a bad message of such a size stays on the queue."""
    return Finding(
        subject(name),
        Grade.WRONG,
        f"it takes messages of {facts.largest} bytes and its dead-letter queue of "
        f"{facts.dead_letter_largest}: a bad message in between cannot be dead-lettered",
        f"set MaximumMessageSize of the dead-letter queue to {facts.largest}",
        event="queue.dead_letter_queue_takes_less",
        facts={"queue": name, "largest": facts.largest, "dead_letter_largest": facts.dead_letter_largest},
    )


def judge_dead_letters(name: str, facts: QueueFacts, dead: DeadLetterFacts) -> Iterator[Finding]:
    """Findings about the attributes of a queue's dead-letter queue."""
    if dead.fifo is not facts.fifo:
        kind = "FIFO" if facts.fifo else "standard"
        yield wrong(subject(name), "its dead-letter queue is of the other type", f"make it a {kind} queue")
    # In a standard dead-letter queue, age counts from the first send (AWS: SQS dead-letter queues).
    if dead.retention <= facts.retention and not facts.fifo:
        yield advice(
            subject(name),
            "its dead-letter queue keeps messages no longer than the queue does, and counts their age from "
            "the first send",
            "set MessageRetentionPeriod of the dead-letter queue to 14 days",
        )
    if dead.count:
        text, do = f"about {dead.count} dead letters", f"see: orca-daemon dlq list {name}"
        yield advice(subject(name), text, do)


async def _check_queue(name: str, route: str, url: str, clients: Clients) -> list[Finding]:
    source = SqsSource(clients.poll, clients.control, url)
    try:
        facts = await source.describe()
    except SourceError as error:
        return [judge_failure(name, url, error)]
    return [
        *judge_facts(name, route, facts),
        *await _check_dead_letters(name, facts, clients),
        *await _permissions(subject(name), source),
    ]


async def _check_dead_letters(name: str, facts: QueueFacts, clients: Clients) -> list[Finding]:
    if facts.dead_letter is None:
        return []
    source = SqsSource(clients.poll, clients.control, facts.dead_letter)
    try:
        described, depth = await source.describe(), await source.depth()
    except SourceError as error:
        return [wrong(subject(name), f"its dead-letter queue cannot be read: {error}", remedy(error))]
    dead = DeadLetterFacts(described.fifo, described.retention, depth.visible + depth.inflight)
    return list(judge_dead_letters(name, facts, dead))


async def _check_status_queue(url: str, clients: Clients) -> Finding:
    try:
        facts = await SqsSource(clients.poll, clients.control, url).describe()
    except SourceError as error:
        if error.kind == "missing":
            return wrong(STATUS_QUEUE, f"recovery.status_url: {url} does not exist", "create it")
        return wrong(STATUS_QUEUE, f"recovery.status_url: cannot be read: {error}", remedy(error))
    if not facts.fifo:
        return advice(STATUS_QUEUE, _NO_ORDER.format("status updates"), "use a FIFO queue")
    return ok(STATUS_QUEUE, "recovery.status_url: FIFO, read by another process")


async def _permissions(named: str, source: SqsSource) -> list[Finding]:
    """Call each action with a dummy receipt handle: without permission SQS answers AccessDenied, with it the
    call changes nothing.
    """
    dummy = [Envelope(id="check", receipt="orca-daemon-check", body="")]
    calls: Mapping[str, Callable[[], Awaitable[object]]] = {
        "sqs:DeleteMessage": lambda: source.delete(dummy),
        "sqs:ChangeMessageVisibility": lambda: source.hide(dummy, 0),
    }
    denied = []
    for action, call in calls.items():
        try:
            await call()
        except SourceError as error:
            if error.kind == "denied":
                denied.append(action)
    if not denied:
        return []
    return [wrong(named, f"this role may not {' and '.join(denied)}", ALLOW)]
