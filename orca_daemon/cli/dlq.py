"""`orca-daemon dlq`: dead letters, with why they are, and their way back."""

import json
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from orca_daemon.cli.options import AsJson, Config
from orca_daemon.cli.settings import settings_or_exit
from orca_daemon.cli.times import format_time, parse_time
from orca_daemon.settings import Settings

if TYPE_CHECKING:
    from orca_daemon.aws.dead_letter import DeadLetter
    from orca_daemon.aws.dead_letters import DeadLetters, RedriveResult, Wanted

T = TypeVar("T")
Queue = Annotated[str, typer.Argument(metavar="QUEUE", help="Name of the queue in the settings.")]
Reason = Annotated[str, typer.Option(help="Only with this in the reason.")]
Error = Annotated[str, typer.Option(help="Only with this class of error.")]
Group = Annotated[str | None, typer.Option(help="Only of this message group.")]
Since = Annotated[
    str | None, typer.Option(help="Only dead since: ISO 8601, or a span before now such as 7d.")
]
Until = Annotated[str | None, typer.Option(help="Only dead before: ISO 8601, or a span before now.")]


_LONGEST_CELL = 500


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Look at dead letters, and send them back.", no_args_is_help=True)
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
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List the dead letters of a queue and why they are dead.

    They are received, looked at, and given back: for some seconds nobody else sees them.  Of a FIFO
    queue, SQS shows the first ten of each group.

    \b
    orca-daemon dlq list status_update
    orca-daemon dlq list recovery --reason "does not exist" --since 7d --json
    """
    wanted = _wanted((), reason, error, group, since, until)

    async def peek(letters: "DeadLetters") -> "tuple[int, list[DeadLetter]]":
        return await letters.count(), await letters.peek(wanted, most)

    count, found = _with_letters(settings_or_exit(config), queue, peek)
    if as_json:
        _print({"queue": queue, "approximate_count": count, "letters": [_record(each) for each in found]})
        return
    _table(queue, found)
    typer.echo(f"{len(found)} shown; there are about {count}.")


def show(
    queue: Queue,
    message_id: Annotated[str, typer.Argument(metavar="ID", help="Of the dead letter, or of its message.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: its evidence, attributes and body.  Exits 1 when it is not found.

    \b
    orca-daemon dlq show recovery 7f4c2a10-52e4-4d0b-9d3e-0c1f6a7b8e90
    """
    wanted = _wanted((message_id,))

    async def peek(letters: "DeadLetters") -> "list[DeadLetter]":
        return await letters.peek(wanted, 1)

    found = _with_letters(settings_or_exit(config), queue, peek)
    if not found:
        typer.echo(f"orca-daemon: no dead letter {message_id!r} among those that SQS shows", err=True)
        raise typer.Exit(1)
    record = _record(found[0]) | {"body": found[0].envelope.body}
    if as_json:
        _print(record)
        return
    for name, value in record.items():
        typer.echo(f"{name}: {_text(name, value)}")


def _text(name: str, value: object) -> str:
    """For people: times as times, and lines as lines, but nothing that would command the terminal."""
    from orca_daemon.cli.tables import plain

    if isinstance(value, dict):
        value = json.dumps({key: _moment(key, part) for key, part in value.items()}, indent=2)
    return "\n".join(plain(line.expandtabs(4)) for line in str(_moment(name, value)).splitlines())


def _moment(name: str, value: object) -> object:
    if not name.endswith("_at") or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    try:
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):  # evidence may hold any number
        return value


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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be sent.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters back to their queue, each group in order.

    Each is deleted here once it is confirmed there.  Mend the cause first: what fails again is dead-lettered
    again.  Exits 1 when any could not be moved.

    \b
    orca-daemon dlq redrive recovery --reason "no such key" --dry-run
    orca-daemon dlq redrive status_update --max 100 --rate 5 --yes
    """
    wanted = _wanted(tuple(ids or ()), reason, error, group, since, until)
    settings = settings_or_exit(config)
    if dry_run:
        _show_plan(settings, queue, wanted, most, as_json=as_json)
        return
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("--yes is needed where nobody can be asked", param_hint="--yes")
        typer.confirm(f"Send up to {most} dead letters back to {queue}?", abort=True)
    tally = _redrive(settings, queue, wanted, most, rate, quiet=as_json)
    reasons = {"reasons": sorted(tally.reasons)} if tally.failed else {}
    if as_json:
        counts = {"moved": tally.moved, "failed": tally.failed, "passed_over": tally.passed_over}
        _print(counts | reasons)
    else:
        typer.echo(f"{tally.moved} sent back, {tally.failed} failed, {tally.passed_over} passed over.")
    for why in reasons.get("reasons", ()):
        typer.echo(f"orca-daemon: {why}", err=True)
    if tally.failed:
        raise typer.Exit(1)


def _show_plan(settings: Settings, queue: str, wanted: "Wanted", most: int, *, as_json: bool) -> None:
    async def peek(letters: "DeadLetters") -> "list[DeadLetter]":
        return await letters.peek(wanted, most)

    found = _with_letters(settings, queue, peek)
    if as_json:
        _print({"would_move": [_record(each) for each in found]})
        return
    _table(queue, found)
    typer.echo(f"{len(found)} would be sent back to {queue}, of those that SQS shows.")


def _redrive(
    settings: Settings, queue: str, wanted: "Wanted", most: int, rate: float, *, quiet: bool
) -> "RedriveResult":
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    progress = Progress(*columns, console=Console(stderr=True), disable=quiet or not sys.stderr.isatty())

    async def work(letters: "DeadLetters") -> "RedriveResult":
        task = progress.add_task("sent back", total=min(most, await letters.count()))
        return await letters.redrive(
            wanted,
            most=most,
            rate=rate,
            before=time.time(),
            moved=lambda _, done: progress.advance(task, int(done)),
        )

    with progress:
        try:
            return _with_letters(settings, queue, work)
        except SystemExit:
            sent = sum(int(task.completed) for task in progress.tasks)
            typer.echo(f"{sent} were sent back before that; the others are where they were.", err=True)
            raise


def _with_letters(settings: Settings, queue: str, work: "Callable[[DeadLetters], Awaitable[T]]") -> T:
    """The result of work on the dead letters of a queue; one line and exit 1 where that cannot be."""
    from orca_daemon.aws.clients import connect
    from orca_daemon.aws.dead_letters import DeadLetters
    from orca_daemon.cli.connections import run
    from orca_daemon.engine.errors import SourceError

    bound = settings.bound
    if queue not in bound:
        known = ", ".join(sorted(bound)) or "none"
        raise typer.BadParameter(f"no queue {queue!r} has a URL in the settings; those that do: {known}")

    async def connected() -> T:
        async with connect(settings) as clients:
            return await work(await DeadLetters.of(clients, bound[queue].url or ""))

    try:
        return run(connected())
    except SourceError as error:
        typer.echo(f"orca-daemon: queue {queue}, {bound[queue].url}: {error.kind} ({error})", err=True)
        raise typer.Exit(1) from None


def _wanted(
    ids: tuple[str, ...],
    reason: str = "",
    error: str = "",
    group: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> "Wanted":
    from orca_daemon.aws.dead_letters import Wanted

    now = datetime.now(UTC)
    return Wanted(
        ids=frozenset(ids),
        reason=reason,
        error=error,
        group=group,
        since=parse_time(since, now).timestamp() if since else 0.0,
        until=parse_time(until, now).timestamp() if until else float("inf"),
    )


def _record(letter: "DeadLetter") -> dict[str, Any]:
    return {
        "id": letter.id,
        "group": letter.envelope.group,
        "reason": letter.reason,
        "buried_at": letter.dead_lettered_at,
        "evidence": dict(letter.evidence),
        "attributes": {
            name: value for name, value in letter.envelope.attributes.items() if name != "OrcaDaemonEvidence"
        },
    }


def _table(queue: str, found: "list[DeadLetter]") -> None:
    from orca_daemon.cli.tables import show as show_table

    show_table(
        ("id", "dead since", "group", "error", "#attempts", "reason"),
        (
            (
                each.id,
                format_time(datetime.fromtimestamp(each.dead_lettered_at, UTC)),
                each.envelope.group,
                _cut(each.evidence.get("error")),
                _cut(each.evidence.get("attempts")),
                _cut(each.reason),
            )
            for each in found
        ),
        title=f"dead letters of {queue}",
    )


def _cut(value: object) -> str | None:
    """What fits a cell: evidence may hold anything."""
    text = None if value is None else str(value)
    return text if text is None or len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"


def _print(record: object) -> None:
    typer.echo(json.dumps(record, indent=2))
