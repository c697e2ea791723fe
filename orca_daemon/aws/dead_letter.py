"""One dead letter, and why it is one: from evidence that anybody may have written, or none."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from orca_daemon.aws.sqs import EVIDENCE
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.size import MOST_ATTRIBUTES

Fact: TypeAlias = str | int | float | bool | None
BY_SQS = "moved by SQS, after too many receives"
NO_ROOM = "not known: its ten attributes leave no room for evidence; the daemon's log has it"
UNREADABLE = "not known: its evidence cannot be read"
NO_EVIDENCE = "not known: it has no evidence, and SQS names no queue that it was moved from"
_A_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message of a dead-letter queue."""

    envelope: Envelope
    evidence: Mapping[str, Fact] = field(default_factory=dict)
    """What was written beside it when it was dead-lettered: texts and numbers; empty where nothing was."""

    @property
    def id(self) -> str:
        """Id of the dead letter itself, not of the message that it was."""
        return self.envelope.id

    @property
    def reason(self) -> str:
        """Why it is one."""
        if self.envelope.moved_from:  # evidence that it may have is of an earlier time
            return BY_SQS
        value = self.evidence.get("reason")
        if isinstance(value, str) and value:
            return value
        if EVIDENCE in self.envelope.raw_attributes:
            return UNREADABLE
        return NO_ROOM if len(self.envelope.raw_attributes) >= MOST_ATTRIBUTES else NO_EVIDENCE

    @property
    def dead_lettered_at(self) -> float:
        """Seconds since the epoch; where nobody wrote it down in a way that can be true, when it was sent."""
        value, sent = self.evidence.get("buried_at"), self.envelope.sent_at
        if self.envelope.moved_from or isinstance(value, bool) or not isinstance(value, int | float):
            return sent
        return float(value) if 0 < value <= sent + _A_DAY else sent

    @property
    def original_id(self) -> str:
        """Id of the message that it was, as log lines have it; empty where it is not known."""
        value = self.evidence.get("message_id")
        # SQS keeps the id; the daemon sends a message anew, to a FIFO queue under the old id.
        own = self.envelope.id if self.envelope.moved_from else self.envelope.deduplication_id
        return value if isinstance(value, str) and not self.envelope.moved_from else own or ""


def letter(envelope: Envelope) -> DeadLetter:
    """The dead letter in a message."""
    return DeadLetter(envelope, _facts(envelope.attributes.get(EVIDENCE, "")))


def _facts(text: str) -> dict[str, Fact]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        _clean(name): _clean(value) if isinstance(value, str) else value
        for name, value in found.items()
        if _is_fact(value)
    }


def _is_fact(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)


def _clean(text: str) -> str:
    """As a terminal takes it: JSON may hold halves of characters."""
    return text.encode("utf-8", "replace").decode()
