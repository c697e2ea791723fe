"""A queue in memory as the engine sees it: the same four calls as SQS itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from orca_daemon.engine.errors import SourceError, SourceErrorKind
from orca_daemon.engine.evidence import with_evidence
from orca_daemon.engine.memory.errors import RequestRefusedError
from orca_daemon.engine.memory.queue import MemoryQueue
from orca_daemon.engine.memory.stored import Received
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import EntryOutcome, QueueFacts

T = TypeVar("T")
_KINDS = {"QueueDoesNotExist": SourceErrorKind.MISSING, "OverLimit": SourceErrorKind.THROTTLED}


class MemorySource:
    """`Source` over a `MemoryQueue`; `dead_letter` is the queue that dead letters are sent to, if any."""

    def __init__(self, queue: MemoryQueue, dead_letter: MemoryQueue | None = None) -> None:
        self._queue = queue
        self._dead_letter = dead_letter

    def describe(self) -> QueueFacts:
        """What the queue says about itself."""
        options, redrive = self._queue.options, self._queue.redrive
        return QueueFacts(
            fifo=options.fifo,
            visibility=options.visibility,
            dead_letter=self._dead_letter.name if self._dead_letter else None,
            max_receives=redrive.max_receives if redrive else None,
            retention=options.retention,
            largest=options.max_size,
            dead_letter_largest=self._dead_letter.options.max_size if self._dead_letter else None,
        )

    async def receive(  # noqa: D102  see Source
        self, limit: int, *, wait: float, lease: float, attempt_id: str | None = None
    ) -> Sequence[Envelope]:
        try:
            taken = await self._queue.receive(limit, wait=wait, visibility=lease, attempt_id=attempt_id)
        except RequestRefusedError as error:
            raise _source_error(error) from error
        return [envelope(received) for received in taken]

    async def delete(self, envelopes: Sequence[Envelope]) -> Sequence[EntryOutcome]:  # noqa: D102  see Source
        return [self._end(self._queue.delete, each.receipt) for each in envelopes]

    async def hide(self, envelopes: Sequence[Envelope], seconds: float) -> Sequence[EntryOutcome]:  # noqa: D102  see Source
        return [self._end(self._queue.hide, each.receipt, seconds) for each in envelopes]

    async def send_dead_letter(self, envelope: Envelope, evidence: Mapping[str, object]) -> str:  # noqa: D102  see Source
        grave = self._dead_letter
        if grave is None:
            raise SourceError(SourceErrorKind.MISSING, "the queue has no dead-letter queue")
        attributes = with_evidence(envelope.body, envelope.raw_attributes, evidence, grave.options.max_size)
        try:
            sent = grave.send(
                envelope.body,
                attributes=attributes,
                group=envelope.group,
                deduplication_id=envelope.id if grave.options.fifo else None,
                trace=envelope.trace,
            )
        except RequestRefusedError as error:
            raise _source_error(error) from error
        return sent.id

    @staticmethod
    def _end(call: Callable[..., None], *arguments: object) -> EntryOutcome:
        try:
            call(*arguments)
        except RequestRefusedError as error:
            if error.code in _KINDS:
                raise _source_error(error) from error
            return EntryOutcome.GONE
        return EntryOutcome.DONE


def envelope(received: Received) -> Envelope:
    """One delivery as the engine sees it."""
    message = received.message
    return Envelope(
        id=message.id,
        receipt=received.receipt,
        body=message.body,
        attributes={
            name: str(value["StringValue"])
            for name, value in message.attributes.items()
            if "StringValue" in value
        },
        raw_attributes=message.attributes,
        group=message.group,
        sequence=message.sequence,
        deduplication_id=message.deduplication_id,
        receive_count=received.receive_count,
        sent_at=message.sent_at,
        first_received_at=received.first_received_at,
        trace=message.trace,
        moved_from=message.came_from,
    )


def _source_error(error: RequestRefusedError) -> SourceError:
    kind = _KINDS.get(error.code, SourceErrorKind.UNAVAILABLE)
    if "ReceiveRequestAttemptId" in str(error):
        kind = SourceErrorKind.ATTEMPT
    if "Message must be shorter than" in str(error):
        kind = SourceErrorKind.TOO_LARGE
    return SourceError(kind, f"{error.code}: {error}")
