"""One dead letter, and why it was dead-lettered.  Its evidence may be missing, damaged or forged."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from orca_daemon.aws.sqs_messages import EVIDENCE
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
    """The facts that the daemon attached when it dead-lettered the message; empty if there are none."""

    @property
    def id(self) -> str:
        """Id of the dead letter itself, not of the original message."""
        return self.envelope.id

    @property
    def reason(self) -> str:
        """Why it was dead-lettered."""
        if self.envelope.moved_from:  # its evidence, if it has any, is from an earlier dead-lettering
            return BY_SQS
        value = self.evidence.get("reason")
        if isinstance(value, str) and value:
            return value
        if EVIDENCE in self.envelope.raw_attributes:
            return UNREADABLE
        return NO_ROOM if len(self.envelope.raw_attributes) >= MOST_ATTRIBUTES else NO_EVIDENCE

    @property
    def dead_lettered_at(self) -> float:
        """Seconds since the epoch: from the evidence if that is plausible, else when the letter was sent."""
        value, sent = self.evidence.get("buried_at"), self.envelope.sent_at
        if self.envelope.moved_from or isinstance(value, bool) or not isinstance(value, int | float):
            return sent
        return float(value) if 0 < value <= sent + _A_DAY else sent

    @property
    def original_id(self) -> str:
        """Id of the original message, as in log lines; empty if unknown."""
        value = self.evidence.get("message_id")
        # A move by SQS keeps the id.  The daemon sends a new message; on a FIFO queue its deduplication id is
        # the original id.
        own = self.envelope.id if self.envelope.moved_from else self.envelope.deduplication_id
        return value if isinstance(value, str) and not self.envelope.moved_from else own or ""


def letter(envelope: Envelope) -> DeadLetter:
    """Convert a message of a dead-letter queue."""
    return DeadLetter(envelope, _facts(envelope.attributes.get(EVIDENCE, "")))


def _facts(text: str) -> dict[str, Fact]:
    try:
        document = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {
        _clean(name): _clean(value) if isinstance(value, str) else value
        for name, value in document.items()
        if _is_fact(value)
    }


def _is_fact(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)


def _clean(text: str) -> str:
    """Replace lone surrogates, which JSON may hold and a terminal cannot write."""
    return text.encode("utf-8", "replace").decode()
