"""One SQS queue, as the engine's `Source`: aiobotocore's answers and errors translated once, here."""

import asyncio
import json
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.errors import Meaning, code_of, meaning_of, message_of, reason_of
from orca_daemon.engine import evidence as evidences
from orca_daemon.engine.errors import SourceError, SourceErrorKind
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.size import size
from orca_daemon.engine.source import EntryOutcome, QueueFacts
from orca_daemon.wire.queue_url import normalised

T = TypeVar("T")
EVIDENCE = evidences.NAME
TRACE = "AWSTraceHeader"
SMALLEST_LIMIT = 262_144
"""Bytes that a dead-letter queue takes where it does not say: the default of queues until 2025."""
SYSTEM_ATTRIBUTES = (
    "MessageGroupId",
    "SequenceNumber",
    "MessageDeduplicationId",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SentTimestamp",
    "DeadLetterQueueSourceArn",
    TRACE,
)
_GONE = frozenset({"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"})
_TOO_LONG = "Total VisibilityTimeout"
"""Part of the sentence in which SQS refuses more than twelve hours, under the code of an expired handle."""
_TOO_LARGE = "Message must be shorter than"
"""Part of the sentence in which SQS refuses a message larger than its queue's MaximumMessageSize."""
_KINDS: Mapping[Meaning, SourceErrorKind] = {
    Meaning.MISSING: SourceErrorKind.MISSING,
    Meaning.DENIED: SourceErrorKind.DENIED,
    Meaning.THROTTLED: SourceErrorKind.THROTTLED,
}


@dataclass(frozen=True, slots=True)
class Depth:
    """Messages on a queue, approximately (AWS: GetQueueAttributes)."""

    visible: int
    inflight: int
    delayed: int


class SqsSource:
    """One queue over two clients: one for receives, one for everything else."""

    def __init__(self, poll: Any, control: Any, url: str) -> None:
        self._poll = poll
        self._control = control
        self._url = normalised(url)
        self._facts: QueueFacts | None = None

    async def describe(self, *, warm: bool = False) -> QueueFacts:
        """Read what the queue says about itself, and find its dead-letter queue.

        Args:
            warm: ask over the client for receives, so that the first receive finds a connection.

        Raises:
            SourceError: of kind `missing` or `denied` where that is so.
        """
        attributes = await self._attributes(self._url, self._poll if warm else self._control)
        try:
            policy = json.loads(attributes.get("RedrivePolicy", "{}"))
            dead_letter, limit = await self._find_dead_letter_queue(policy.get("deadLetterTargetArn"))
            self._facts = QueueFacts(
                fifo=attributes.get("FifoQueue") == "true",
                visibility=float(attributes.get("VisibilityTimeout", 30)),
                dead_letter=dead_letter,
                max_receives=int(policy["maxReceiveCount"]) if "maxReceiveCount" in policy else None,
                retention=float(attributes.get("MessageRetentionPeriod", 345_600)),
                largest=_number(attributes.get("MaximumMessageSize")),
                dead_letter_largest=limit,
            )
        except (ValueError, TypeError, AttributeError) as error:
            raise SourceError(
                SourceErrorKind.UNAVAILABLE, "the attributes of the queue cannot be read"
            ) from error
        return self._facts

    async def depth(self) -> Depth:
        """How many messages the queue holds, approximately."""
        attributes = await self._attributes(self._url, self._control)
        try:
            return Depth(
                int(attributes.get("ApproximateNumberOfMessages", 0)),
                int(attributes.get("ApproximateNumberOfMessagesNotVisible", 0)),
                int(attributes.get("ApproximateNumberOfMessagesDelayed", 0)),
            )
        except ValueError as error:
            raise SourceError(SourceErrorKind.UNAVAILABLE, "the number of messages cannot be read") from error

    async def receive(
        self, limit: int, *, wait: float, lease: float, attempt_id: str | None = None
    ) -> Sequence[Envelope]:
        """See `Source`."""
        request: dict[str, Any] = {
            "QueueUrl": self._url,
            "MaxNumberOfMessages": limit,
            "WaitTimeSeconds": int(wait),
            "VisibilityTimeout": int(lease),
            "MessageSystemAttributeNames": SYSTEM_ATTRIBUTES,
            "MessageAttributeNames": ["All"],
        }
        if attempt_id is not None:
            request["ReceiveRequestAttemptId"] = attempt_id
        answer = await translated(self._poll.receive_message(**request))
        return [envelope(message) for message in answer.get("Messages") or ()]

    async def delete(self, envelopes: Sequence[Envelope]) -> Sequence[EntryOutcome]:
        """See `Source`."""
        entries = [{"Id": str(i), "ReceiptHandle": one.receipt} for i, one in enumerate(envelopes)]
        call = self._control.delete_message_batch(QueueUrl=self._url, Entries=entries)
        return outcomes(await translated(call), len(entries))

    async def hide(self, envelopes: Sequence[Envelope], seconds: float) -> Sequence[EntryOutcome]:
        """See `Source`."""
        entries = [
            {"Id": str(i), "ReceiptHandle": one.receipt, "VisibilityTimeout": int(seconds)}
            for i, one in enumerate(envelopes)
        ]
        call = self._control.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
        return outcomes(await translated(call), len(entries))

    async def send_dead_letter(self, envelope: Envelope, evidence: Mapping[str, object]) -> None:
        """See `Source`."""
        facts = self._facts or await self.describe()
        if _too_large(envelope, facts):
            facts = await self.describe()  # its limit may have been raised since
        if facts.dead_letter is None:
            raise SourceError(SourceErrorKind.MISSING, "the queue has no dead-letter queue")
        if _too_large(envelope, facts):
            raise SourceError(
                SourceErrorKind.TOO_LARGE,
                f"the message has {_own_size(envelope)} bytes and its dead-letter queue takes "
                f"{facts.dead_letter_largest}: raise that queue's MaximumMessageSize",
            )
        request = {
            "QueueUrl": facts.dead_letter,
            **sendable(
                envelope,
                evidences.with_evidence(
                    envelope.body,
                    own_attributes(envelope),
                    evidence,
                    facts.dead_letter_largest or SMALLEST_LIMIT,
                ),
            ),
        }
        if facts.fifo:
            request["MessageDeduplicationId"] = envelope.id
        try:
            await translated(self._control.send_message(**request))
        except SourceError as error:
            if error.kind == "too_large":  # its limit may have been lowered since
                self._facts = None
            raise

    @staticmethod
    async def _attributes(url: str, client: Any) -> dict[str, str]:
        call = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        attributes: dict[str, str] = (await translated(call)).get("Attributes", {})
        return attributes

    async def _find_dead_letter_queue(self, arn: str | None) -> tuple[str | None, int | None]:
        """Its URL and limit; None where the policy names none, or one that was deleted since."""
        if arn is None:
            return None, None
        account, name = arn.split(":")[-2:]
        call = self._control.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
        try:
            url = str((await translated(call))["QueueUrl"])
            limit = (await self._attributes(url, self._control)).get("MaximumMessageSize")
        except SourceError as error:
            if error.kind == "missing":
                return None, None
            raise
        return url, _number(limit)


def envelope(message: Mapping[str, Any]) -> Envelope:
    """A message of ReceiveMessage's answer."""
    system = message.get("Attributes", {})
    raw = message.get("MessageAttributes", {})
    return Envelope(
        id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        body=message.get("Body", ""),
        attributes={name: value["StringValue"] for name, value in raw.items() if "StringValue" in value},
        raw_attributes=raw,
        group=system.get("MessageGroupId"),
        sequence=int(system.get("SequenceNumber", 0)),
        deduplication_id=system.get("MessageDeduplicationId"),
        receive_count=int(system.get("ApproximateReceiveCount", 1)),
        sent_at=int(system.get("SentTimestamp", 0)) / 1000,
        first_received_at=int(system.get("ApproximateFirstReceiveTimestamp", 0)) / 1000,
        trace=system.get(TRACE),
        moved_from=system.get("DeadLetterQueueSourceArn"),
    )


def own_attributes(envelope: Envelope) -> dict[str, Mapping[str, object]]:
    """The message's attributes as SendMessage takes them: answers carry lists that requests may not."""
    parts = {"DataType", "StringValue", "BinaryValue"}
    return {
        name: {key: part for key, part in value.items() if key in parts}
        for name, value in envelope.raw_attributes.items()
    }


def sendable(envelope: Envelope, attributes: Mapping[str, Mapping[str, object]]) -> dict[str, Any]:
    """A received message as SendMessage takes it again, with these attributes."""
    request: dict[str, Any] = {"MessageBody": envelope.body, "MessageAttributes": attributes}
    if envelope.group is not None:  # on a standard queue it is a tenant's name
        request["MessageGroupId"] = envelope.group
    if envelope.trace:
        request["MessageSystemAttributes"] = {TRACE: {"DataType": "String", "StringValue": envelope.trace}}
    return request


def outcomes(answer: Mapping[str, Any], count: int) -> list[EntryOutcome]:
    """How each entry of a batch ended, by its place.

    An entry that the answer does not name, or names twice, has failed; what names no entry says nothing.
    """
    ends: dict[object, list[EntryOutcome]] = {}
    for entry in answer.get("Successful") or ():
        ends.setdefault((entry or {}).get("Id"), []).append(EntryOutcome.DONE)
    for entry in answer.get("Failed") or ():
        ends.setdefault((entry or {}).get("Id"), []).append(_failure(entry or {}))
    named = (ends.get(str(place), ()) for place in range(count))
    return [found[0] if len(found) == 1 else EntryOutcome.FAILED for found in named]


def _failure(entry: Mapping[str, Any]) -> EntryOutcome:
    code = str(entry.get("Code", "")).rpartition(".")[2]
    gone = code in _GONE and _TOO_LONG not in str(entry.get("Message", ""))
    return EntryOutcome.GONE if gone else EntryOutcome.FAILED


async def translated(call: Awaitable[T]) -> T:
    """The answer of a call of the client; its errors become `SourceError`."""
    try:
        return await call
    except CALL_ERRORS as error:
        kind = _kind(error)
        reason = "the queue takes no message of this size" if kind == "too_large" else reason_of(error)
        raise SourceError(kind, reason) from error
    except asyncio.CancelledError as error:
        if (task := asyncio.current_task()) and task.cancelling():
            raise
        # Nobody cancelled us: another call did, with which ours shared a look-up or a connection.
        raise SourceError(SourceErrorKind.UNAVAILABLE, "cancelled with another call") from error


def _kind(error: BaseException) -> SourceErrorKind:
    message = message_of(error)
    if "AttemptId" in code_of(error) or "ReceiveRequestAttemptId" in message:
        return SourceErrorKind.ATTEMPT
    if _TOO_LARGE in message:
        return SourceErrorKind.TOO_LARGE
    return _KINDS.get(meaning_of(error), SourceErrorKind.UNAVAILABLE)


def _too_large(envelope: Envelope, facts: QueueFacts) -> bool:
    return facts.dead_letter_largest is not None and _own_size(envelope) > facts.dead_letter_largest


def _own_size(envelope: Envelope) -> int:
    return size(envelope.body, evidences.without_evidence(own_attributes(envelope)))


def _number(text: str | None) -> int | None:
    return int(text) if text else None
