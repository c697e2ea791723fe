"""`orca-daemon dlq`: list dead letters with their reasons, send them back, export and delete them."""

from typing import TYPE_CHECKING, Annotated

import typer

from orca_daemon.cli import dlq_removal
from orca_daemon.cli.acting import ActionId, action, recorded_id
from orca_daemon.cli.confirm import confirm
from orca_daemon.cli.dead_letter_text import for_people, label
from orca_daemon.cli.dlq_choice import (
    LETTERS,
    Error,
    Group,
    Ids,
    Queue,
    Reason,
    Since,
    Until,
    about,
    json_of_letter,
    json_of_record,
    row_of_letter,
    row_of_record,
    run_on,
    wanted_letters,
)
from orca_daemon.cli.exits import FAILED, fail, run, settings_or_exit
from orca_daemon.cli.options import AsCsv, AsJson, Config, Wide, Yes
from orca_daemon.cli.output import note, print_json, progress_bar
from orca_daemon.cli.table import Column
from orca_daemon.cli.view import Form, View, columns_option, view_of
from orca_daemon.settings import Settings
from orca_daemon.wire.task_token import hidden

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from orca_daemon.aws.dead_letter_queue import DeadLetterFilter, RedriveResult
    from orca_daemon.operations.dead_letter_counts import QueueCount
    from orca_daemon.operations.dead_letter_list import Listed
    from orca_daemon.operations.recorded import Request

COUNTS = (
    Column(name="queue", identifies=True),
    Column(name="approximate_count", header="DEAD LETTERS", number=True),
    Column(name="recorded", number=True, rank=3),
    Column(name="more", number=True, rank=4),
    Column(name="oldest", header="OLDEST (UTC)", rank=2),
    Column(name="newest", header="NEWEST (UTC)", rank=1),
    Column(name="problem", rank=5, extra=True, least=20, prose=True),
)
_LETTER = tuple(column for column in LETTERS if column.name != "queue")
ChosenColumns = Annotated[str | None, columns_option(LETTERS)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="List dead letters, send them back, export and delete them.", no_args_is_help=True
    )
    group.command("list")(list_)
    group.command("show")(show)
    group.command("redrive")(redrive)
    dlq_removal.register(group)
    app.add_typer(group, name="dlq")


def list_(
    queue: Annotated[
        str | None, typer.Argument(metavar="[QUEUE]", help="Name of the queue in the settings; default: all.")
    ] = None,
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
    """List dead letters with their reasons, of one queue or of all.

    For all queues it reads the database, where each daemon records what it dead-letters, and asks SQS only
    how many there are.  For one queue it receives them and makes them visible again at the end; until then,
    other consumers do not see them.  From a FIFO queue SQS returns the first ten of each group; the others
    that are listed are those that the database knows.

    \b
    orca-daemon dlq list
    orca-daemon dlq list status_update
    orca-daemon dlq list recovery --reason "does not exist" --since 7d --json
    """
    from orca_daemon.operations.dead_letter_list import list_queue

    view = view_of(LETTERS, wide=wide, columns=columns, as_csv=as_csv, as_json=as_json)
    wanted = wanted_letters((), reason, error, group, since, until)
    settings = settings_or_exit(config)
    if queue is None:
        _list_all(settings, wanted, most, view)
        return
    listed = run_on(settings, queue, list_queue(settings, queue, wanted, most))
    if as_json:
        letters = [json_of_letter(letter, queue) for letter in listed.peeked.letters]
        letters += [json_of_record(record) for record in listed.recorded]
        count = listed.peeked.approximate_count
        print_json("dlq list", {"queue": queue, "approximate_count": count, "letters": letters})
        return
    _print_listed(view, queue, listed)


def show(
    queue: Queue,
    message_id: Annotated[
        str, typer.Argument(metavar="ID", help="Id of the dead letter, or of the message that it was.")
    ],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: its evidence, attributes and body.

    If SQS does not return it, because it is behind ten others of its group, what the database knows of it is
    shown, without a body.  Exits 1 if that has no record of it either.  The token of a state machine's task
    is hidden in the body.

    \b
    orca-daemon dlq show recovery 7f4c2a10-52e4-4d0b-9d3e-0c1f6a7b8e90
    """
    from orca_daemon.operations.dead_letter_list import find_record
    from orca_daemon.operations.dead_letters import peek

    wanted = wanted_letters((message_id,))
    settings = settings_or_exit(config)
    letters = run_on(settings, queue, peek(settings, queue, wanted, 1)).letters
    record: dict[str, Any]
    if letters:
        record = json_of_letter(letters[0], queue) | {"body": hidden(letters[0].envelope.body)}
    elif known := run(find_record(settings, queue, wanted)):
        record = json_of_record(known)
    else:
        fail(f"no dead letter {message_id!r} among those that SQS returns")
    if as_json:
        print_json("dlq show", record)
        return
    for name, value in record.items():
        typer.echo(f"{label(name)}: {for_people(name, value)}")
    if not letters:
        note(
            "SQS does not return it now, so its body is not known: it is behind others of its group, or gone."
        )


def redrive(
    queue: Queue,
    ids: Ids = None,
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
    yes: Yes = False,
    action_id: ActionId = None,
    wide: Wide = False,
    columns: ChosenColumns = None,
    as_csv: AsCsv = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters back to their queue, each group in order.

    A dead letter is deleted after SQS has confirmed the send.  Fix the cause first: a message that fails
    again is dead-lettered again.  If the command is cut short, the same command with --action-id and the id
    that it printed goes on, and sends none twice.  Exits 1 if any could not be moved.

    \b
    orca-daemon dlq redrive recovery --reason "does not exist" --dry-run
    orca-daemon dlq redrive status_update --max 100 --rate 5 --yes
    """
    if not dry_run and (wide or columns or as_csv):
        raise typer.BadParameter("--wide, --columns and --csv are for the list of --dry-run")
    view = view_of(LETTERS, wide=wide, columns=columns, as_csv=as_csv, as_json=as_json)
    given = (tuple(ids or ()), reason, error, group, since, until)
    wanted = wanted_letters(*given)
    settings = settings_or_exit(config)
    if dry_run:
        print_plan(settings, queue, wanted, most, view)
        return
    confirm(f"Send up to {most} dead letters back to {queue}?", yes=yes, as_json=as_json)
    with action(settings, action_id) as request:
        options = {"most": most, **about(*given)}
        result = send_back(settings, queue, wanted, most, rate, request, options, quiet=as_json)
    print_sent_back(result, recorded_id(settings, request), as_json=as_json)


def print_plan(settings: Settings, queue: str, wanted: "DeadLetterFilter", most: int, view: View) -> None:
    """What a redrive would send."""
    from orca_daemon.operations.dead_letters import peek

    letters = run_on(settings, queue, peek(settings, queue, wanted, most)).letters
    if view.form is Form.JSON:
        print_json("dlq redrive", {"would_move": [json_of_letter(letter, queue) for letter in letters]})
        return
    view.show(_LETTER, (row_of_letter(letter, queue) for letter in letters))
    note(f"{len(letters)} of those that SQS returns would be sent back to {queue}.")


def send_back(
    settings: Settings,
    queue: str,
    wanted: "DeadLetterFilter",
    most: int,
    rate: float,
    request: "Request",
    options: "Mapping[str, Any]",
    *,
    quiet: bool,
) -> "RedriveResult":
    """Redrive with a bar; if it fails, says how many were sent back before."""
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

        work = dead_letters.redrive(
            settings,
            queue,
            wanted,
            most=most,
            rate=rate,
            progress=progress,
            request=request,
            about=options,
        )
        try:
            return run_on(settings, queue, work)
        except typer.Exit:
            if moved is not None:
                typer.echo(
                    f"{moved} were sent back before that; the others are still dead letters.", err=True
                )
            raise


def print_sent_back(result: "RedriveResult", more: "Mapping[str, Any]", *, as_json: bool) -> None:
    """Print the counts of a redrive; exits 1 if any dead letter could not be moved."""
    reasons = sorted(result.reasons) if result.failed else []
    if as_json:
        counts = {"moved": result.moved, "failed": result.failed, "passed_over": result.passed_over}
        print_json("dlq redrive", {**counts, **({"reasons": reasons} if result.failed else {}), **more})
    else:
        left = f"{result.passed_over} left: no match, or newer"
        typer.echo(f"{result.moved} sent back, {result.failed} failed, {left}.")
    for reason in reasons:
        note(f"orca-daemon: {reason}")
    if result.failed:
        raise typer.Exit(FAILED)


def _print_listed(view: View, queue: str, listed: "Listed") -> None:
    peeked, recorded = listed.peeked, listed.recorded
    rows = [row_of_letter(letter, queue) for letter in peeked.letters]
    rows += [row_of_record(record) for record in recorded]
    about_all = f"the dead-letter queue has about {peeked.approximate_count}"
    if view.show(_LETTER, rows):
        known = f", {len(recorded)} of them known from the database only" if recorded else ""
        note(f"{len(rows)} shown{known}; {about_all}.")
    elif peeked.approximate_count:
        note(f"No dead letter matches among those that SQS returned; {about_all}.")
    else:
        note(f"The dead-letter queue of {queue} is empty.")


def _list_all(settings: Settings, wanted: "DeadLetterFilter", most: int, view: View) -> None:
    from orca_daemon.operations.dead_letter_list import overview

    found = run(overview(settings, wanted, most))
    if view.form is Form.JSON:
        queues = [count_record(count) for count in found.queues]
        print_json(
            "dlq list", {"queues": queues, "letters": [json_of_record(each) for each in found.records]}
        )
        return
    if view.form is Form.TABLE and not view.names:
        counts = (count_record(count) for count in found.queues)
        if view.show(COUNTS, counts, empty="No queue has a URL in the settings."):
            typer.echo()
    shown = view.show(LETTERS, (row_of_record(record) for record in found.records))
    more = sum(count.more for count in found.queues)
    if not shown:
        note("The database has no record of a dead letter that matches.")
    elif shown == most:
        note(f"the newest {shown} are shown; --max shows others")
    if more:
        note(f"about {more} more without a record in the database; dlq list QUEUE asks SQS for them")


def count_record(count: "QueueCount") -> "dict[str, Any]":
    """The dead letters of a queue, for a table or `--json`."""
    return {
        "queue": count.queue,
        "approximate_count": count.approximate_count,
        "recorded": count.recorded,
        "more": count.more,
        "oldest": count.oldest,
        "newest": count.newest,
        "problem": count.problem,
    }
