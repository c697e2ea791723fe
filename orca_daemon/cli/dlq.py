"""`orca-daemon dlq`: list dead letters with their reasons, and send them back."""

from collections.abc import Coroutine, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from orca_daemon.cli.confirm import confirm
from orca_daemon.cli.dead_letter_text import for_people
from orca_daemon.cli.exits import FAILED, fail, run, settings_or_exit
from orca_daemon.cli.options import AsCsv, AsJson, Config, Wide, parse_time
from orca_daemon.cli.output import note, print_json, progress_bar
from orca_daemon.cli.table import Column
from orca_daemon.cli.view import Form, View, columns_option, view_of
from orca_daemon.settings import Settings
from orca_daemon.wire.task_token import hidden

if TYPE_CHECKING:
    from orca_daemon.aws.dead_letter import DeadLetter
    from orca_daemon.aws.dead_letter_queue import DeadLetterFilter, RedriveResult

T = TypeVar("T")
Queue = Annotated[str, typer.Argument(metavar="QUEUE", help="Name of the queue in the settings.")]
Reason = Annotated[str, typer.Option(help="Only with this text in the reason, in any case.")]
Error = Annotated[str, typer.Option(help="Only with this class of error.")]
Group = Annotated[str | None, typer.Option(help="Only of this message group.")]
Since = Annotated[
    str | None,
    typer.Option(help="Only dead-lettered at this time or later: ISO 8601, or a span before now such as 7d."),
]
Until = Annotated[
    str | None, typer.Option(help="Only dead-lettered before this time: ISO 8601, or a span before now.")
]
LETTERS = (
    Column(name="id", least=36, identifies=True),
    Column(name="buried_at", header="DEAD-LETTERED (UTC)", rank=2),
    Column(name="group", rank=4, least=16, middle=True),
    Column(name="error", rank=3, least=16),
    Column(name="attempts", number=True, rank=5),
    Column(name="message_id", header="MESSAGE ID", rank=6, extra=True),
    Column(name="reason", rank=1, least=20, prose=True),
)
ChosenColumns = Annotated[str | None, columns_option(LETTERS)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="List dead letters, and send them back.", no_args_is_help=True)
    group.command("list")(list_)
    group.command("show")(show)
    group.command("redrive")(redrive)
    app.add_typer(group, name="dlq")


def list_(
    queue: Queue,
    reason: Reason = "",
    error: Error = "",
    group: Group = None,
    since: Since = None,
    until: Until = None,
    most: Annotated[int, typer.Option("--max", min=1, help="The most to show.")] = 100,
    wide: Wide = False,
    columns: ChosenColumns = None,
    as_csv: AsCsv = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List the dead letters of a queue with their reasons.

    The command receives the dead letters and makes them visible again at the end; until then, other
    consumers do not see them.  From a FIFO queue, SQS returns only the first ten of each group.

    \b
    orca-daemon dlq list status_update
    orca-daemon dlq list recovery --reason "does not exist" --since 7d --json
    """
    from orca_daemon.operations.dead_letters import peek

    view = view_of(LETTERS, wide=wide, columns=columns, as_csv=as_csv, as_json=as_json)
    wanted = _wanted((), reason, error, group, since, until)
    settings = settings_or_exit(config)
    peeked = _run(settings, queue, peek(settings, queue, wanted, most))
    if as_json:
        letters = [_record(letter) for letter in peeked.letters]
        document = {"queue": queue, "approximate_count": peeked.approximate_count, "letters": letters}
        print_json("dlq list", document)
        return
    if _print_letters(view, peeked.letters):
        note(f"{len(peeked.letters)} shown; the dead-letter queue has about {peeked.approximate_count}.")
    elif peeked.approximate_count:
        note(
            f"No dead letter matches among those that SQS returned; "
            f"the dead-letter queue has about {peeked.approximate_count}."
        )
    else:
        note(f"The dead-letter queue of {queue} is empty.")


def show(
    queue: Queue,
    message_id: Annotated[
        str, typer.Argument(metavar="ID", help="Id of the dead letter, or of the message that it was.")
    ],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: its evidence, attributes and body.  Exits 1 if SQS does not return it.

    The token of a state machine's task is hidden in the body.

    \b
    orca-daemon dlq show recovery 7f4c2a10-52e4-4d0b-9d3e-0c1f6a7b8e90
    """
    from orca_daemon.operations.dead_letters import peek

    wanted = _wanted((message_id,))
    settings = settings_or_exit(config)
    letters = _run(settings, queue, peek(settings, queue, wanted, 1)).letters
    if not letters:
        fail(f"no dead letter {message_id!r} among those that SQS returns")
    record = _record(letters[0]) | {"body": hidden(letters[0].envelope.body)}
    if as_json:
        print_json("dlq show", record)
        return
    for name, value in record.items():
        typer.echo(f"{name}: {for_people(name, value)}")


def redrive(
    queue: Queue,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Only these.")] = None,
    reason: Reason = "",
    error: Error = "",
    group: Group = None,
    since: Since = None,
    until: Until = None,
    most: Annotated[int, typer.Option("--max", min=1, help="The most to send.")] = 1000,
    rate: Annotated[float, typer.Option(min=0, help="Messages a second; 0 for no limit.")] = 10,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent, send nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wide: Wide = False,
    columns: ChosenColumns = None,
    as_csv: AsCsv = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters back to their queue, each group in order.

    A dead letter is deleted after SQS has confirmed the send.  Fix the cause first: a message that fails
    again is dead-lettered again.  Exits 1 if any could not be moved.

    \b
    orca-daemon dlq redrive recovery --reason "does not exist" --dry-run
    orca-daemon dlq redrive status_update --max 100 --rate 5 --yes
    """
    if not dry_run and (wide or columns or as_csv):
        raise typer.BadParameter("--wide, --columns and --csv are for the list of --dry-run")
    view = view_of(LETTERS, wide=wide, columns=columns, as_csv=as_csv, as_json=as_json)
    wanted = _wanted(tuple(ids or ()), reason, error, group, since, until)
    settings = settings_or_exit(config)
    if dry_run:
        _print_plan(settings, queue, wanted, most, view)
        return
    confirm(f"Send up to {most} dead letters back to {queue}?", yes=yes, as_json=as_json)
    result = _redrive(settings, queue, wanted, most, rate, quiet=as_json)
    _print_result(result, as_json=as_json)
    if result.failed:
        raise typer.Exit(FAILED)


def _print_plan(settings: Settings, queue: str, wanted: "DeadLetterFilter", most: int, view: View) -> None:
    from orca_daemon.operations.dead_letters import peek

    letters = _run(settings, queue, peek(settings, queue, wanted, most)).letters
    if view.form is Form.JSON:
        print_json("dlq redrive", {"would_move": [_record(letter) for letter in letters]})
        return
    _print_letters(view, letters)
    note(f"{len(letters)} of those that SQS returns would be sent back to {queue}.")


def _redrive(
    settings: Settings, queue: str, wanted: "DeadLetterFilter", most: int, rate: float, *, quiet: bool
) -> "RedriveResult":
    from rich.progress import MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

    from orca_daemon.operations import dead_letters

    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    moved: int | None = None
    with progress_bar(*columns, quiet=quiet) as bar:
        task = bar.add_task("sent back", total=None)

        def progress(done: int, total: int) -> None:
            nonlocal moved
            moved = done
            bar.update(task, completed=done, total=total)

        work = dead_letters.redrive(settings, queue, wanted, most=most, rate=rate, progress=progress)
        try:
            return _run(settings, queue, work)
        except typer.Exit:
            if moved is not None:
                typer.echo(
                    f"{moved} were sent back before that; the others are still dead letters.", err=True
                )
            raise


def _print_result(result: "RedriveResult", *, as_json: bool) -> None:
    reasons = sorted(result.reasons) if result.failed else []
    if as_json:
        counts = {"moved": result.moved, "failed": result.failed, "passed_over": result.passed_over}
        print_json("dlq redrive", counts | ({"reasons": reasons} if result.failed else {}))
    else:
        typer.echo(f"{result.moved} sent back, {result.failed} failed, {result.passed_over} did not match.")
    for reason in reasons:
        note(f"orca-daemon: {reason}")


def _run(settings: Settings, queue: str, work: "Coroutine[Any, Any, T]") -> T:
    """The result of an operation on the dead letters of a queue; an error of SQS names the queue."""
    from orca_daemon.engine.errors import SourceError
    from orca_daemon.operations.errors import UnknownQueueError

    try:
        return run(work)
    except UnknownQueueError as error:
        raise typer.BadParameter(str(error)) from error
    except SourceError as error:
        fail(f"queue {queue}, {settings.bound[queue].url}: {error.kind} ({error})")


def _wanted(
    ids: tuple[str, ...],
    reason: str = "",
    error: str = "",
    group: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> "DeadLetterFilter":
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


def _record(letter: "DeadLetter") -> dict[str, Any]:
    attributes = letter.envelope.attributes
    return {
        "id": letter.id,
        "group": letter.envelope.group,
        "reason": letter.reason,
        "buried_at": letter.dead_lettered_at,
        "evidence": dict(letter.evidence),
        "attributes": {name: value for name, value in attributes.items() if name != "OrcaDaemonEvidence"},
    }


def _print_letters(view: View, letters: "Iterable[DeadLetter]") -> int:
    return view.show(
        LETTERS,
        (
            {
                "id": letter.id,
                "buried_at": datetime.fromtimestamp(letter.dead_lettered_at, UTC),
                "group": letter.envelope.group,
                "error": letter.evidence.get("error"),
                "attempts": letter.evidence.get("attempts"),
                "message_id": letter.original_id,
                "reason": letter.reason,
            }
            for letter in letters
        ),
    )
