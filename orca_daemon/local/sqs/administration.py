"""The actions on queues: create, look up, describe, change, purge, delete, tag, and move messages."""

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from orca_daemon.engine.memory import MemoryQueue, RequestRefusedError, Stored
from orca_daemon.engine.memory.errors import missing
from orca_daemon.local.sqs.actions import Answer, Request
from orca_daemon.local.sqs.catalog import ACCOUNT, Catalog, Entry

_MOST_LISTED = 1000
_MOST_MOVES = 10


class Queues:
    """Each method is one action of the API, as in `Messages`.  `base` is the URL that the client used."""

    def __init__(self, catalog: Catalog, base: str) -> None:
        self._catalog = catalog
        self._base = base

    def _url(self, entry: Entry) -> str:
        return f"{self._base}/{ACCOUNT}/{entry.queue.name}"

    def create_queue(self, request: Request) -> Answer:
        """CreateQueue."""
        name = _name(request)
        entry = self._catalog.create(name, request.get("Attributes") or {}, request.get("tags") or {})
        return {"QueueUrl": self._url(entry)}

    def get_queue_url(self, request: Request) -> Answer:
        """GetQueueUrl."""
        return {"QueueUrl": self._url(self._catalog.named(_name(request)))}

    def list_queues(self, request: Request) -> Answer:
        """ListQueues."""
        prefix = request.get("QueueNamePrefix") or ""
        entries = [each for each in self._catalog if each.queue.name.startswith(prefix)]
        return self._page(request, entries, "QueueUrls")

    def list_dead_letter_source_queues(self, request: Request) -> Answer:
        """ListDeadLetterSourceQueues."""
        entries = self._catalog.sources(self._catalog.at(request))
        return {"queueUrls": [], **self._page(request, entries, "queueUrls")}

    def _page(self, request: Request, entries: Iterable[Entry], key: str) -> Answer:
        urls = sorted(self._url(each) for each in entries)
        start = int(request.get("NextToken") or 0)
        end = start + int(request.get("MaxResults") or _MOST_LISTED)
        answer: Answer = {key: urls[start:end]} if urls else {}
        return answer | ({"NextToken": str(end)} if request.get("MaxResults") and urls[end:] else {})

    def get_queue_attributes(self, request: Request) -> Answer:
        """GetQueueAttributes."""
        facts = self._catalog.facts(self._catalog.at(request))
        asked = request.get("AttributeNames") or []
        for name in asked:
            if name not in _ATTRIBUTES:
                raise RequestRefusedError("InvalidAttributeName", f"Unknown Attribute {name}.")
        chosen = {name: value for name, value in facts.items() if name in asked or "All" in asked}
        return {"Attributes": chosen} if chosen else {}

    def set_queue_attributes(self, request: Request) -> Answer:
        """SetQueueAttributes."""
        self._catalog.change(self._catalog.at(request), request.get("Attributes") or {})
        return {}

    def purge_queue(self, request: Request) -> Answer:
        """PurgeQueue."""
        self._catalog.at(request).queue.purge()
        return {}

    def delete_queue(self, request: Request) -> Answer:
        """DeleteQueue."""
        self._catalog.delete(self._catalog.at(request))
        return {}

    def list_queue_tags(self, request: Request) -> Answer:
        """ListQueueTags."""
        tags = self._catalog.at(request).tags
        return {"Tags": tags} if tags else {}

    def tag_queue(self, request: Request) -> Answer:
        """TagQueue."""
        self._catalog.at(request).tags.update(request.get("Tags") or {})
        return {}

    def untag_queue(self, request: Request) -> Answer:
        """UntagQueue."""
        tags = self._catalog.at(request).tags
        for key in request.get("TagKeys") or []:
            tags.pop(key, None)
        return {}

    def start_message_move_task(self, request: Request) -> Answer:
        """StartMessageMoveTask; the task is complete at once."""
        source = self._catalog.by_arn(str(request.get("SourceArn", "")))
        if not self._catalog.sources(source):
            raise RequestRefusedError(
                "ResourceNotFoundException", "Source queue must be configured as a dead-letter queue."
            )
        wanted = request.get("DestinationArn")
        destination = self._catalog.by_arn(wanted).queue if wanted else None
        total = source.queue.counts()[0]
        moved = source.queue.hand_over(lambda message: destination or self._origin(message))
        task: dict[str, Any] = {
            "Status": "COMPLETED" if moved == total else "FAILED",
            "SourceArn": self._catalog.arn(source),
            "ApproximateNumberOfMessagesMoved": moved,
            "ApproximateNumberOfMessagesToMove": total,
            "StartedTimestamp": round(self._catalog.clock() * 1000),
        }
        if wanted:
            task["DestinationArn"] = wanted
        if moved < total:
            task["FailureReason"] = "CouldNotDetermineMessageSource"
        source.moves.insert(0, task)
        del source.moves[_MOST_MOVES:]
        return {"TaskHandle": str(uuid4())}

    def list_message_move_tasks(self, request: Request) -> Answer:
        """ListMessageMoveTasks."""
        source = self._catalog.by_arn(str(request.get("SourceArn", "")))
        return {"Results": source.moves[: request.get("MaxResults") or 1]}

    def _origin(self, message: Stored) -> MemoryQueue | None:
        try:
            return self._catalog.named(message.came_from or "").queue
        except RequestRefusedError:
            return None


def _name(request: Request) -> str:
    if not request.get("QueueName"):
        raise missing("QueueName")
    return str(request["QueueName"])


_ATTRIBUTES = frozenset(
    {
        "All",
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesDelayed",
        "ApproximateNumberOfMessagesNotVisible",
        "ContentBasedDeduplication",
        "CreatedTimestamp",
        "DeduplicationScope",
        "DelaySeconds",
        "FifoQueue",
        "FifoThroughputLimit",
        "KmsDataKeyReusePeriodSeconds",
        "KmsMasterKeyId",
        "LastModifiedTimestamp",
        "MaximumMessageSize",
        "MessageRetentionPeriod",
        "Policy",
        "QueueArn",
        "ReceiveMessageWaitTimeSeconds",
        "RedriveAllowPolicy",
        "RedrivePolicy",
        "SqsManagedSseEnabled",
        "VisibilityTimeout",
    }
)
