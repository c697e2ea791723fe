"""Which dead letters a command is about: options, the filter that they make, and what is recorded of it."""

from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from orca_daemon.cli.exits import fail, run
from orca_daemon.cli.options import parse_time
from orca_daemon.cli.table import Column
from orca_daemon.settings import Settings

if TYPE_CHECKING:
    from orca_daemon.aws.dead_letter import DeadLetter
    from orca_daemon.aws.dead_letter_queue import DeadLetterFilter
    from orca_daemon.db.dead_letter_records import DeadLetterRecord

T = TypeVar("T")
Queue = Annotated[str, typer.Argument(metavar="QUEUE", help="Name of the queue in the settings.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Only these.")]
Reason = Annotated[str, typer.Option(help="Only with this text in the reason, in any case.")]
Error = Annotated[str, typer.Option(help="Only with this class of error.")]
Group = Annotated[str | None, typer.Option(help="Only of this message group.")]
Since = Annotated[
    str | None,
    typer.Option(
        help="Only dead-lettered at this time or later: ISO 8601, today, yesterday, or a span such as 7d."
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        help="Only dead-lettered before this time: ISO 8601, today, yesterday, or a span before now."
    ),
]
LETTERS = (
    Column(name="queue", rank=7, extra=True),
    Column(name="id", least=36, identifies=True),
    Column(name="buried_at", header="DEAD-LETTERED (UTC)", rank=2),
    Column(name="group", rank=4, least=16, middle=True),
    Column(name="error", rank=3, least=16),
    Column(name="attempts", number=True, rank=5),
    Column(name="message_id", header="MESSAGE ID", rank=6, extra=True),
    Column(name="reason", rank=1, least=20, prose=True),
)


def wanted_letters(
    ids: tuple[str, ...],
    reason: str = "",
    error: str = "",
    group: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> "DeadLetterFilter":
    """The filter that the options make."""
    from orca_daemon.aws.dead_letter_queue import DeadLetterFilter

    now = datetime.now(UTC)
    start, end = parse_time(since, now, "--since"), parse_time(until, now, "--until")
    return DeadLetterFilter(
        ids=frozenset(ids),
        reason=reason,
        error=error,
        group=group,
        since=start.timestamp() if start else 0.0,
        until=end.timestamp() if end else float("inf"),
    )


def about(
    ids: tuple[str, ...], reason: str, error: str, group: str | None, since: str | None, until: str | None
) -> Mapping[str, Any]:
    """The filter as it was given, for the record of the action: with spans, it is the same a minute later."""
    given = {"ids": sorted(ids), "reason": reason, "error": error, "group": group, "since": since}
    return {name: value for name, value in (given | {"until": until}).items() if value}


def run_on(settings: Settings, queue: str, work: "Coroutine[Any, Any, T]") -> T:
    """The result of an operation on the dead letters of a queue; an error of SQS names the queue."""
    from orca_daemon.engine.errors import SourceError
    from orca_daemon.operations.errors import UnknownQueueError

    try:
        return run(work)
    except UnknownQueueError as error:
        raise typer.BadParameter(str(error)) from error
    except SourceError as error:
        fail(f"queue {queue}, {settings.bound[queue].url}: {error.kind} ({error})")


def row_of_letter(letter: "DeadLetter", queue: str) -> dict[str, Any]:
    """The columns of a dead letter that SQS returned."""
    return {
        "queue": queue,
        "id": letter.id,
        "buried_at": datetime.fromtimestamp(letter.dead_lettered_at, UTC),
        "group": letter.envelope.group,
        "error": letter.evidence.get("error"),
        "attempts": letter.evidence.get("attempts"),
        "message_id": letter.original_id,
        "reason": letter.reason,
    }


def row_of_record(record: "DeadLetterRecord") -> dict[str, Any]:
    """The columns of a dead letter that the database knows."""
    return {
        "queue": record.queue,
        "id": record.id,
        "buried_at": record.dead_lettered_at,
        "group": record.group_id,
        "error": record.error_type,
        "attempts": record.facts.get("attempts"),
        "message_id": record.original_id,
        "reason": record.reason,
    }


def json_of_letter(letter: "DeadLetter", queue: str) -> dict[str, Any]:
    """A dead letter that SQS returned, for `--json`."""
    attributes = letter.envelope.attributes
    return {
        "id": letter.id,
        "group": letter.envelope.group,
        "reason": letter.reason,
        "buried_at": letter.dead_lettered_at,
        "evidence": dict(letter.evidence),
        "attributes": {name: value for name, value in attributes.items() if name != "OrcaDaemonEvidence"},
        "queue": queue,
        "message_id": letter.original_id,
        "source": "sqs",
    }


def json_of_record(record: "DeadLetterRecord") -> dict[str, Any]:
    """A dead letter that only the database knows, for `--json`."""
    return {
        "id": record.id,
        "group": record.group_id,
        "reason": record.reason,
        "buried_at": record.dead_lettered_at.timestamp(),
        "evidence": dict(record.facts),
        "attributes": {},
        "queue": record.queue,
        "message_id": record.original_id,
        "source": "database",
    }
