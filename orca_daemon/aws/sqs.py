"""One SQS queue, as the engine's `Source`: translates aiobotocore's responses and errors, once and here."""

import asyncio
import json
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.errors import Meaning, code_of, meaning_of, message_of, reason_of
from orca_daemon.aws.sqs_messages import SYSTEM_ATTRIBUTES, envelope, own_attributes, sendable
from orca_daemon.engine import evidence as evidences
from orca_daemon.engine.errors import SourceError, SourceErrorKind
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.size import size
from orca_daemon.engine.source import EntryOutcome, QueueFacts
from orca_daemon.engine.tasks import being_cancelled
from orca_daemon.wire.queue_url import host_of, is_legacy, normalised, region_of

T = TypeVar("T")
DEFAULT_LIMIT = 262_144
"""Bytes that a dead-letter queue is assumed to take if it reports no limit: SQS's default until 2025."""
DEFAULT_RETENTION = 345_600
"""Seconds for which SQS keeps a message unless the queue says otherwise: four days."""
_GONE = frozenset({"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"})
_TOO_LONG = "Total VisibilityTimeout"
"""Part of SQS's message for a lease of more than twelve hours; the code is that of an expired handle."""
_TOO_LARGE = "Message must be shorter than"
"""Part of SQS's message for a message larger than the queue's MaximumMessageSize."""
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
    retention: float
    """Seconds after which SQS deletes a message."""

    @property
    def messages(self) -> int:
        """All messages."""
        return self.visible + self.inflight + self.delayed


class SqsSource:
    """One queue over two clients: one for receives, one for everything else."""

    def __init__(self, poll: Any, control: Any, url: str) -> None:
        self._poll = poll
        self._control = control
        self._url = normalised(url)
        self._facts: QueueFacts | None = None

    async def describe(self, *, warm: bool = False) -> QueueFacts:
        """Read the queue's attributes, and find its dead-letter queue.

        Args:
            warm: send the request over the client for receives, so that the first receive finds an open
                connection.

        Raises:
            SourceError: of kind `missing` if the queue does not exist, `denied` if it may not be read.
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
                retention=float(attributes.get("MessageRetentionPeriod", DEFAULT_RETENTION)),
                largest=_optional_int(attributes.get("MaximumMessageSize")),
                dead_letter_largest=limit,
            )
        except (ValueError, TypeError, AttributeError) as error:
            raise SourceError(
                SourceErrorKind.UNAVAILABLE, "the attributes of the queue cannot be read"
            ) from error
        return self._facts

    async def depth(self) -> Depth:
        """Read how many messages the queue holds, approximately."""
        attributes = await self._attributes(self._url, self._control)
        try:
            return Depth(
                int(attributes.get("ApproximateNumberOfMessages", 0)),
                int(attributes.get("ApproximateNumberOfMessagesNotVisible", 0)),
                int(attributes.get("ApproximateNumberOfMessagesDelayed", 0)),
                float(attributes.get("MessageRetentionPeriod", DEFAULT_RETENTION)),
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
        response = await translated(self._poll.receive_message(**request))
        return [envelope(message) for message in response.get("Messages") or ()]

    async def delete(self, envelopes: Sequence[Envelope]) -> Sequence[EntryOutcome]:
        """See `Source`."""
        entries = [{"Id": str(i), "ReceiptHandle": each.receipt} for i, each in enumerate(envelopes)]
        call = self._control.delete_message_batch(QueueUrl=self._url, Entries=entries)
        return outcomes(await translated(call), len(entries))

    async def hide(self, envelopes: Sequence[Envelope], seconds: float) -> Sequence[EntryOutcome]:
        """See `Source`."""
        entries = [
            {"Id": str(i), "ReceiptHandle": each.receipt, "VisibilityTimeout": int(seconds)}
            for i, each in enumerate(envelopes)
        ]
        call = self._control.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
        return outcomes(await translated(call), len(entries))

    async def send_dead_letter(self, envelope: Envelope, evidence: Mapping[str, object]) -> str:
        """See `Source`."""
        facts = self._facts or await self.describe()
        if _too_large(envelope, facts):
            facts = await self.describe()  # the limit may have been raised meanwhile
        if facts.dead_letter is None:
            raise SourceError(SourceErrorKind.MISSING, "the queue has no dead-letter queue")
        if _too_large(envelope, facts):
            raise SourceError(
                SourceErrorKind.TOO_LARGE,
                f"the message has {_own_size(envelope)} bytes and its dead-letter queue accepts "
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
                    facts.dead_letter_largest or DEFAULT_LIMIT,
                ),
            ),
        }
        if facts.fifo:
            request["MessageDeduplicationId"] = envelope.id
        try:
            sent = await translated(self._control.send_message(**request))
        except SourceError as error:
            if error.kind is SourceErrorKind.TOO_LARGE:  # the limit may have been lowered meanwhile
                self._facts = None
            raise
        return str(sent["MessageId"])

    @staticmethod
    async def _attributes(url: str, client: Any) -> dict[str, str]:
        call = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        attributes: dict[str, str] = (await translated(call)).get("Attributes", {})
        return attributes

    async def _find_dead_letter_queue(self, arn: str | None) -> tuple[str | None, int | None]:
        """URL and limit of the dead-letter queue; both None if the policy names none, or a deleted one."""
        if arn is None:
            return None, None
        account, name = arn.split(":")[-2:]
        call = self._control.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
        try:
            url = str((await translated(call))["QueueUrl"])
            limit = (await self._attributes(url, self._control)).get("MaximumMessageSize")
        except SourceError as error:
            if error.kind is SourceErrorKind.MISSING:
                return None, None
            raise
        return url, _optional_int(limit)


def outcomes(response: Mapping[str, Any], count: int) -> list[EntryOutcome]:
    """The outcome of each entry of a batch, in the order of the request.

    An entry that the response does not name exactly once counts as failed.  Unknown ids are ignored.
    """
    by_id: dict[object, list[EntryOutcome]] = {}
    for entry in response.get("Successful") or ():
        by_id.setdefault((entry or {}).get("Id"), []).append(EntryOutcome.DONE)
    for entry in response.get("Failed") or ():
        by_id.setdefault((entry or {}).get("Id"), []).append(_failure(entry or {}))
    entries = (by_id.get(str(index), ()) for index in range(count))
    return [ends[0] if len(ends) == 1 else EntryOutcome.FAILED for ends in entries]


def _failure(entry: Mapping[str, Any]) -> EntryOutcome:
    code = str(entry.get("Code", "")).rpartition(".")[2]
    gone = code in _GONE and _TOO_LONG not in str(entry.get("Message", ""))
    return EntryOutcome.GONE if gone else EntryOutcome.FAILED


async def translated(call: Awaitable[T]) -> T:
    """Await a call of the client; its errors become `SourceError`."""
    try:
        return await call
    except CALL_ERRORS as error:
        kind = _kind(error)
        reason = (
            "the queue takes no message of this size"
            if kind is SourceErrorKind.TOO_LARGE
            else reason_of(error)
        )
        raise SourceError(kind, reason) from error
    except asyncio.CancelledError as error:
        if being_cancelled():
            raise
        # This task was not cancelled: another call was, which shared a DNS lookup or a connection.
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


def _optional_int(text: str | None) -> int | None:
    return int(text) if text else None


def other_region(url: str, sqs: Any) -> str | None:
    """A sentence if the queue is in another region than the client, else None.

    SQS's clients send every request to their own endpoint, whatever host the queue's URL has.
    """
    region, actual = region_of(url), sqs.meta.region_name
    if region is None or region == actual:
        return None
    return f"{url} is in {region}, and requests go to {actual}: set AWS_REGION={region}, or correct the URL"


def other_host(url: str, sqs: Any) -> str | None:
    """A sentence if requests go to another host than the URL's, else None."""
    endpoint = str(sqs.meta.endpoint_url)
    if host_of(url) == host_of(endpoint) or (is_legacy(url) and region_of(url) == region_of(endpoint)):
        return None
    return f"requests go to {endpoint}, not to {host_of(url)}, the host of the queue's URL"
