"""The queues of the account: creates, looks up, changes and deletes them."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orca_daemon.engine.memory import MemoryQueue, Redrive, RequestRefusedError
from orca_daemon.engine.memory.errors import invalid
from orca_daemon.local.sqs import attributes as api

ACCOUNT = "000000000000"


@dataclass(slots=True)
class Entry:
    """One queue with its attributes, times and tags."""

    queue: MemoryQueue
    attributes: dict[str, str]
    created: float
    modified: float
    tags: dict[str, str] = field(default_factory=dict)
    moves: list[dict[str, Any]] = field(default_factory=list)
    """Message move tasks from here, the latest first."""


class Catalog:
    """Queues by name."""

    def __init__(self, region: str, clock: Callable[[], float] = time.time) -> None:
        self._region = region
        self.clock = clock
        self._entries: dict[str, Entry] = {}

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def named(self, name: str) -> Entry:
        """The queue of that name.

        Raises:
            RequestRefusedError: it does not exist.
        """
        entry = self._entries.get(name)
        if entry is None:
            raise RequestRefusedError("QueueDoesNotExist", "The specified queue does not exist.")
        return entry

    def at(self, request: Mapping[str, Any]) -> Entry:
        """The queue of a request's URL; the host is ignored, because a proxy may be in between."""
        return self.named(str(request.get("QueueUrl", "")).rpartition("/")[2])

    def by_arn(self, arn: str) -> Entry:
        """The queue of that ARN."""
        name = arn.rpartition(":")[2]
        if name not in self._entries:
            raise RequestRefusedError(
                "ResourceNotFoundException", "The resource that you specified doesn't exist."
            )
        return self._entries[name]

    def arn(self, entry: Entry) -> str:
        """The queue's ARN."""
        return self.arn_of(entry.queue.name)

    def arn_of(self, name: str) -> str:
        """The ARN of a queue of that name."""
        return f"arn:aws:sqs:{self._region}:{ACCOUNT}:{name}"

    def create(self, name: str, given: Mapping[str, Any], tags: Mapping[str, str]) -> Entry:
        """Create a queue, or return the one with this name if its attributes are the same."""
        fifo = api.check_name(name, given)
        checked = api.check(given, fifo=fifo, new=True)
        if existing := self._entries.get(name):
            if any(existing.attributes.get(key) != value for key, value in checked.items()):
                raise RequestRefusedError(
                    "QueueNameExists", "A queue already exists with the same name and another value."
                )
            return existing
        complete = api.DEFAULTS | (api.FIFO_DEFAULTS if fifo else {}) | checked
        queue = MemoryQueue(name, api.options(complete, fifo=fifo), clock=self.clock)
        queue.redrive = self._redrive(complete, fifo=fifo)
        now = self.clock()
        entry = self._entries[name] = Entry(queue, complete, now, now, dict(tags))
        return entry

    def change(self, entry: Entry, given: Mapping[str, Any]) -> None:
        """Set all attributes, or none if one is refused; an empty text removes one."""
        fifo = entry.queue.options.fifo
        complete = {**entry.attributes, **api.check(given, fifo=fifo, new=False)}
        complete = {name: value for name, value in complete.items() if value}
        options, redrive = api.options(complete, fifo=fifo), self._redrive(complete, fifo=fifo)
        entry.attributes, entry.modified, entry.queue.redrive = complete, self.clock(), redrive
        entry.queue.change(options)

    def delete(self, entry: Entry) -> None:
        """Remove a queue with all its messages."""
        del self._entries[entry.queue.name]
        entry.queue.close()

    def sources(self, entry: Entry) -> list[Entry]:
        """The queues that have this dead-letter queue."""
        return [each for each in self if each.queue.redrive and each.queue.redrive.target is entry.queue]

    def _redrive(self, attributes: Mapping[str, str], *, fifo: bool) -> Redrive | None:
        policy = attributes.get("RedrivePolicy")
        if not policy:
            return None
        name, receives = api.redrive(policy)
        target = self._entries.get(name)
        if target is None:
            raise invalid("RedrivePolicy", policy, "Dead letter target does not exist.")
        if target.queue.options.fifo != fifo:
            raise invalid(
                "RedrivePolicy", policy, "Dead-letter queue must be same type of queue as the source."
            )
        return Redrive(target.queue, receives)

    def facts(self, entry: Entry) -> dict[str, str]:
        """Every attribute, as GetQueueAttributes returns them."""
        visible, in_flight, delayed = entry.queue.counts()
        return {
            **entry.attributes,
            "QueueArn": self.arn(entry),
            "CreatedTimestamp": str(int(entry.created)),
            "LastModifiedTimestamp": str(int(entry.modified)),
            "ApproximateNumberOfMessages": str(visible),
            "ApproximateNumberOfMessagesNotVisible": str(in_flight),
            "ApproximateNumberOfMessagesDelayed": str(delayed),
        }

    def freeze(self) -> list[dict[str, Any]]:
        """All queues, as JSON values."""
        return [
            {
                "attributes": each.attributes,
                "created": each.created,
                "modified": each.modified,
                "tags": each.tags,
                "name": each.queue.name,
                "queue": each.queue.freeze(),
            }
            for each in self
        ]

    def thaw(self, frozen: list[dict[str, Any]]) -> None:
        """Load queues that another catalog saved."""
        for one in frozen:
            name, attributes = one["name"], one["attributes"]
            queue = MemoryQueue(name, api.options(attributes, fifo=name.endswith(api.FIFO)), clock=self.clock)
            queue.thaw(one["queue"])
            self._entries[name] = Entry(queue, attributes, one["created"], one["modified"], one["tags"])
        for entry in self:
            if policy := entry.attributes.get("RedrivePolicy"):
                name, receives = api.redrive(policy)
                if name in self._entries:  # it may have been deleted
                    entry.queue.redrive = Redrive(self._entries[name].queue, receives)
