"""One SQS queue, as the engine's `Source`: aiobotocore's answers and errors translated once, here."""

import asyncio
import json
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from orca_daemon.engine import evidence as evidences
from orca_daemon.engine.errors import SourceError
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import Outcome, QueueFacts

T = TypeVar("T")
EVIDENCE = evidences.NAME
SMALLEST_LIMIT = 262_144
"""Bytes that a dead-letter queue takes where it does not say: the default of queues until 2025."""
SYSTEM_ATTRIBUTES = (
    "MessageGroupId",
    "SequenceNumber",
    "MessageDeduplicationId",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SentTimestamp",
)
_GONE = frozenset({"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"})
_TOO_LONG = "Total VisibilityTimeout"
"""Part of the sentence in which SQS refuses more than twelve hours, under the code of an expired handle."""
_KINDS: Mapping[str, str] = {
    "QueueDoesNotExist": "missing",
    "NonExistentQueue": "missing",
    "InvalidAddress": "missing",
    "AccessDenied": "denied",
    "AccessDeniedException": "denied",
    "InvalidClientTokenId": "denied",
    "KmsAccessDenied": "denied",
    "OptInRequired": "denied",
    "SignatureDoesNotMatch": "denied",
    "UnrecognizedClientException": "denied",
    "RequestThrottled": "throttled",
    "ThrottlingException": "throttled",
    "Throttling": "throttled",
    "TooManyRequestsException": "throttled",
    "RequestLimitExceeded": "throttled",
    "KmsThrottled": "throttled",
    "OverLimit": "throttled",
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
        self._url = url
        self._facts: QueueFacts | None = None
        self._dead_letter_limit = SMALLEST_LIMIT

    async def describe(self) -> QueueFacts:
        """Read what the queue says about itself, and find its dead-letter queue.

        Raises:
            SourceError: of kind `missing` or `denied` where that is so.
        """
        attributes = await self._attributes(self._url)
        policy = json.loads(attributes.get("RedrivePolicy", "{}"))
        dead_letter = await self._find_dead_letter_queue(policy.get("deadLetterTargetArn"))
        self._facts = QueueFacts(
            fifo=attributes.get("FifoQueue") == "true",
            visibility=float(attributes.get("VisibilityTimeout", 30)),
            dead_letter=dead_letter,
            max_receives=int(policy["maxReceiveCount"]) if "maxReceiveCount" in policy else None,
            retention=float(attributes.get("MessageRetentionPeriod", 345_600)),
        )
        return self._facts

    async def depth(self) -> Depth:
        """How many messages the queue holds, approximately."""
        attributes = await self._attributes(self._url)
        return Depth(
            int(attributes.get("ApproximateNumberOfMessages", 0)),
            int(attributes.get("ApproximateNumberOfMessagesNotVisible", 0)),
            int(attributes.get("ApproximateNumberOfMessagesDelayed", 0)),
        )

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
        return [envelope(message) for message in answer.get("Messages", ())]

    async def delete(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome]:
        """See `Source`."""
        entries = [{"Id": str(i), "ReceiptHandle": one.receipt} for i, one in enumerate(envelopes)]
        return _outcomes(
            await translated(self._control.delete_message_batch(QueueUrl=self._url, Entries=entries)),
            len(entries),
        )

    async def hide(self, envelopes: Sequence[Envelope], seconds: float) -> Sequence[Outcome]:
        """See `Source`."""
        entries = [
            {"Id": str(i), "ReceiptHandle": one.receipt, "VisibilityTimeout": int(seconds)}
            for i, one in enumerate(envelopes)
        ]
        call = self._control.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
        return _outcomes(await translated(call), len(entries))

    async def bury(self, envelope: Envelope, evidence: Mapping[str, object]) -> None:
        """See `Source`."""
        facts = self._facts or await self.describe()
        if facts.dead_letter is None:
            raise SourceError("missing", "the queue has no dead-letter queue")
        request: dict[str, Any] = {
            "QueueUrl": facts.dead_letter,
            "MessageBody": envelope.body,
            "MessageAttributes": self._attributes_of_dead_letter(envelope, evidence),
        }
        if envelope.group is not None:  # on a standard queue it is a tenant's name
            request["MessageGroupId"] = envelope.group
        if facts.fifo:
            request["MessageDeduplicationId"] = envelope.id
        await translated(self._control.send_message(**request))

    async def _attributes(self, url: str) -> dict[str, str]:
        call = self._control.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        attributes: dict[str, str] = (await translated(call)).get("Attributes", {})
        return attributes

    async def _find_dead_letter_queue(self, arn: str | None) -> str | None:
        """Its URL; None where the policy names none, or one that was deleted since."""
        if arn is None:
            return None
        account, name = arn.split(":")[-2:]
        call = self._control.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
        try:
            url = str((await translated(call))["QueueUrl"])
            limit = (await self._attributes(url)).get("MaximumMessageSize")
        except SourceError as error:
            if error.kind == "missing":
                return None
            raise
        self._dead_letter_limit = int(limit or SMALLEST_LIMIT)
        return url

    def _attributes_of_dead_letter(
        self, envelope: Envelope, evidence: Mapping[str, object]
    ) -> dict[str, Mapping[str, object]]:
        own = {name: sendable(value) for name, value in envelope.raw_attributes.items()}
        return evidences.with_evidence(envelope.body, own, evidence, self._dead_letter_limit)


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
    )


def sendable(value: Mapping[str, object]) -> Mapping[str, object]:
    """A received attribute as SendMessage takes it: answers carry lists that requests may not."""
    return {key: part for key, part in value.items() if key in {"DataType", "StringValue", "BinaryValue"}}


def _outcomes(answer: Mapping[str, Any], count: int) -> list[Outcome]:
    # What the answer does not name has failed.
    outcomes = [Outcome.FAILED] * count
    for entry in answer.get("Successful", ()):
        outcomes[int(entry["Id"])] = Outcome.DONE
    for entry in answer.get("Failed", ()):
        code = str(entry.get("Code", "")).rsplit(".", 1)[-1]
        gone = code in _GONE and _TOO_LONG not in str(entry.get("Message", ""))
        outcomes[int(entry["Id"])] = Outcome.GONE if gone else Outcome.FAILED
    return outcomes


async def translated(call: Awaitable[T]) -> T:
    """The answer of a call of the client; its errors become `SourceError`."""
    try:
        return await call
    except ClientError as error:
        told = error.response.get("Error", {})
        code = str(told.get("Code", "")).rsplit(".", 1)[-1]
        kind = _kind(code, str(told.get("Message", "")))
        raise SourceError(kind, f"{code or 'unknown error'} on {error.operation_name}") from error
    except (TimeoutError, BotoCoreError, OSError) as error:
        raise SourceError("unavailable", type(error).__name__) from error
    except asyncio.CancelledError as error:
        if (task := asyncio.current_task()) and task.cancelling():
            raise
        # Nobody cancelled us: another call did, with which ours shared a look-up or a connection.
        raise SourceError("unavailable", "cancelled with another call") from error


def _kind(code: str, message: str) -> str:
    if "AttemptId" in code or "ReceiveRequestAttemptId" in message:
        return "attempt"
    return _KINDS.get(code, "unavailable")
