"""A dead letter as one line of JSON: its body, attributes and evidence, complete enough to be sent again."""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from orca_daemon.aws.dead_letter import DeadLetter


class NotDeadLettersError(Exception):
    """A file or an object is there already, and it does not hold exported dead letters of this queue."""


def line_of(letter: DeadLetter, queue: str) -> bytes:
    """The line, in ASCII, with its end."""
    envelope = letter.envelope
    document = {
        "queue": queue,
        "id": letter.id,
        "message_id": letter.original_id,
        "group": envelope.group,
        "deduplication_id": envelope.deduplication_id,
        "sequence": envelope.sequence,
        "dead_lettered_at": _time(letter.dead_lettered_at),
        "sent_at": _time(envelope.sent_at),
        "moved_from": envelope.moved_from,
        "reason": letter.reason,
        "evidence": dict(letter.evidence),
        "trace": envelope.trace,
        "attributes": {name: _attribute(value) for name, value in envelope.raw_attributes.items()},
        "body": envelope.body,
    }
    return json.dumps(document).encode() + b"\n"


def start_of(queue: str) -> bytes:
    """How each line of this queue begins."""
    return json.dumps({"queue": queue, "id": ""}).encode().removesuffix(b'"}')


def ids_in(lines: Iterable[bytes], queue: str, name: str) -> set[str]:
    """The ids of the dead letters in complete lines; NotDeadLettersError names the file."""
    ids: set[str] = set()
    start = start_of(queue)
    for line in lines:
        try:
            ids.add(str(json.loads(line)["id"]) if line.startswith(start) else _raise())
        except (ValueError, TypeError, KeyError):
            raise NotDeadLettersError(holds_other(name, queue)) from None
    return ids


def holds_other(name: str, queue: str) -> str:
    """What is wrong with a file that an export of this queue may not write to."""
    return f"{name} is there already, and holds something else than dead letters of {queue}"


def _raise() -> str:
    raise ValueError


def _attribute(value: Mapping[str, object]) -> dict[str, object]:
    """As SendMessage takes it, with bytes in base64."""
    return {
        key: b64encode(part).decode() if isinstance(part, bytes) else part
        for key, part in value.items()
        if key in {"DataType", "StringValue", "BinaryValue"}
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
