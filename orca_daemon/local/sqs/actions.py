"""The actions on messages: send, receive, delete, change visibility, alone and in batches."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from orca_daemon.engine.memory import RequestRefusedError
from orca_daemon.engine.memory.errors import missing
from orca_daemon.engine.size import LARGEST, size
from orca_daemon.local.sqs import batches, messages
from orca_daemon.local.sqs.catalog import Catalog, Entry

Request: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = dict[str, Any]


class Messages:
    """Each method is one action of the API, from request to answer.  All may raise `RequestRefusedError`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def send_message(self, request: Request) -> Answer:
        """SendMessage."""
        return self._send(self._catalog.at(request), request)

    def send_message_batch(self, request: Request) -> Answer:
        """SendMessageBatch."""
        entry = self._catalog.at(request)
        weights = [
            size(str(one.get("MessageBody", "")), messages.attributes(one))
            for one in request.get("Entries") or []
        ]
        if sum(weights) > LARGEST:
            reason = (
                f"Batch requests cannot be longer than {LARGEST} bytes. You have sent {sum(weights)} bytes."
            )
            raise RequestRefusedError("BatchRequestTooLong", reason)
        return batches.each(request, lambda one: self._send(entry, one))

    def _send(self, entry: Entry, request: Request) -> Answer:
        attributes = messages.attributes(request)
        result = entry.queue.send(
            str(_needed(request, "MessageBody")),
            attributes=attributes,
            group=request.get("MessageGroupId"),
            deduplication_id=request.get("MessageDeduplicationId"),
            delay=request.get("DelaySeconds"),
            trace=messages.trace(request),
        )
        return messages.sent(request, result, attributes, fifo=entry.queue.options.fifo)

    async def receive_message(self, request: Request) -> Answer:
        """ReceiveMessage."""
        entry = self._catalog.at(request)
        limit = request.get("MaxNumberOfMessages")
        deliveries = await entry.queue.receive(
            1 if limit is None else limit,
            wait=request.get("WaitTimeSeconds"),
            visibility=request.get("VisibilityTimeout"),
            attempt_id=request.get("ReceiveRequestAttemptId"),
        )
        names = request.get("MessageAttributeNames") or ()
        system = frozenset(request.get("MessageSystemAttributeNames") or ()) | frozenset(
            request.get("AttributeNames") or ()
        )
        fifo = entry.queue.options.fifo
        received = []
        for each in deliveries:
            source = each.message.came_from and self._catalog.arn_of(each.message.came_from)
            received.append(messages.received(each, names, system, fifo=fifo, source=source))
        return {"Messages": received} if received else {}

    def delete_message(self, request: Request) -> Answer:
        """DeleteMessage."""
        return self._delete(self._catalog.at(request), request)

    def delete_message_batch(self, request: Request) -> Answer:
        """DeleteMessageBatch."""
        entry = self._catalog.at(request)
        return batches.each(request, lambda one: self._delete(entry, one))

    @staticmethod
    def _delete(entry: Entry, request: Request) -> Answer:
        entry.queue.delete(str(_needed(request, "ReceiptHandle")))
        return {}

    def change_message_visibility(self, request: Request) -> Answer:
        """ChangeMessageVisibility."""
        return self._change(self._catalog.at(request), request)

    def change_message_visibility_batch(self, request: Request) -> Answer:
        """ChangeMessageVisibilityBatch."""
        entry = self._catalog.at(request)
        return batches.each(request, lambda one: self._change(entry, one))

    @staticmethod
    def _change(entry: Entry, request: Request) -> Answer:
        handle = str(_needed(request, "ReceiptHandle"))
        entry.queue.hide(handle, _needed(request, "VisibilityTimeout"))
        return {}


def _needed(request: Request, name: str) -> Any:
    if request.get(name) is None:
        raise missing(name)
    return request[name]
