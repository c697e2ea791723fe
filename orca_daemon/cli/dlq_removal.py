"""`orca-daemon dlq export` and `dlq delete`: keep dead letters elsewhere, and take them off their queue."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orca_daemon.cli.acting import ActionId, action, exit_if, recorded_id
from orca_daemon.cli.confirm import confirm, refuse_unless_answered
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
    row_of_letter,
    run_on,
    wanted_letters,
)
from orca_daemon.cli.exits import USAGE, errors_exit, fail, settings_or_exit
from orca_daemon.cli.options import AsJson, Config, Yes
from orca_daemon.cli.output import counter, note, print_json
from orca_daemon.cli.view import View

if TYPE_CHECKING:
    from orca_daemon.aws.dead_letter_queue import DeadLetterFilter
    from orca_daemon.aws.s3copy import S3Object
    from orca_daemon.operations.dead_letter_export import Exported
    from orca_daemon.settings import Settings

_S3 = "s3://"
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the dead letters, do nothing.")]


def register(group: typer.Typer) -> None:
    """Add the commands."""
    group.command("export")(export)
    group.command("delete")(delete)


def export(
    queue: Queue,
    target: Annotated[
        str, typer.Argument(metavar="FILE|s3://BUCKET/PREFIX", help="Where the dead letters are written.")
    ],
    reason: Reason = "",
    error: Error = "",
    group: Group = None,
    since: Since = None,
    until: Until = None,
    most: Annotated[int, typer.Option("--max", min=1, help="The most to export.")] = 100_000,
    remove: Annotated[
        bool, typer.Option("--delete", help="Delete each dead letter once it is kept there.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    action_id: ActionId = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Write dead letters to a file or to S3.

    Each is a line of JSON with its body, attributes and evidence.  A file that exists is continued if it
    holds dead letters of this queue.  In S3 the objects are PREFIX/QUEUE-ACTION-000001.jsonl and so on.  With
    --delete a dead letter is deleted after the file is on the disk, or after S3 has returned the object.  SQS
    shows ten dead letters of one FIFO group, and the next ones when these are gone: so only --delete exports
    all of a FIFO queue.  If it is cut short, the same command with --action-id goes on; nothing is lost.

    Bodies may hold secrets, such as the tokens of tasks: only the owner may read the file.

    \b
    orca-daemon dlq export recovery dead.jsonl
    orca-daemon dlq export status_update s3://my-bucket/dead-letters --delete --yes
    """
    from orca_daemon.operations.dead_letter_export import export as export_letters
    from orca_daemon.operations.dead_letter_line import NotDeadLettersError
    from orca_daemon.operations.export_objects import NotVerifiedError

    given = ((), reason, error, group, since, until)
    wanted, place = wanted_letters(*given), _target(target)
    settings = settings_or_exit(config)
    if dry_run:
        _print_plan(settings, queue, wanted, most, "exported", as_json=as_json)
        return
    if remove:
        question = f"Export up to {most} dead letters of {queue} to {target}, and delete them there?"
        confirm(question, yes=yes, as_json=as_json)
    with action(settings, action_id) as request, counter("exported", quiet=as_json) as progress:
        work = export_letters(
            settings,
            queue,
            wanted,
            place,
            most=most,
            delete=remove,
            request=request,
            progress=progress,
            about={"most": most, **about(*given)},
        )
        with errors_exit(OSError, NotDeadLettersError, NotVerifiedError):
            exported = run_on(settings, queue, work)
    _print_exported(exported, deleted=remove, more=recorded_id(settings, request), as_json=as_json)
    exit_if(failed=exported.failed > 0)


def delete(
    queue: Queue,
    ids: Ids = None,
    reason: Reason = "",
    error: Error = "",
    group: Group = None,
    since: Since = None,
    until: Until = None,
    every: Annotated[bool, typer.Option("--all", help="All dead letters of the queue.")] = False,
    most: Annotated[int, typer.Option("--max", min=1, help="The most to delete.")] = 1000,
    dry_run: DryRun = False,
    yes: Yes = False,
    confirmed: Annotated[
        str | None,
        typer.Option(
            "--confirm", metavar="QUEUE", help="Answers the second question: the queue's name again."
        ),
    ] = None,
    action_id: ActionId = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters for good, without a copy.  Asks twice.

    Export them first (dlq export QUEUE FILE --delete) unless nobody will ever need them.  Without a terminal,
    --yes answers the first question, and --confirm with the queue's name the second.

    \b
    orca-daemon dlq delete recovery 7f4c2a10-52e4-4d0b-9d3e-0c1f6a7b8e90
    orca-daemon dlq delete recovery --reason "does not exist" --dry-run
    orca-daemon dlq delete recovery --reason "does not exist" --yes --confirm recovery
    """
    from orca_daemon.operations import dead_letters

    given = (tuple(ids or ()), reason, error, group, since, until)
    if not any(given) and not every:
        raise typer.BadParameter("say which: ids, --reason, --error, --group, --since, --until, or --all")
    wanted, settings = wanted_letters(*given), settings_or_exit(config)
    if dry_run:
        _print_plan(settings, queue, wanted, most, "deleted", as_json=as_json)
        return
    _ask_twice(settings, queue, wanted, most, yes=yes, confirmed=confirmed, as_json=as_json)
    with action(settings, action_id) as request, counter("deleted", quiet=as_json) as progress:
        work = dead_letters.delete(
            settings,
            queue,
            wanted,
            most=most,
            request=request,
            progress=progress,
            about={"most": most, **about(*given)},
        )
        result = run_on(settings, queue, work)
    counts = {"deleted": result.moved, "failed": result.failed, "passed_over": result.passed_over}
    if as_json:
        print_json("dlq delete", {**counts, **recorded_id(settings, request)})
    else:
        left = f"{result.passed_over} left: no match, or newer"
        typer.echo(f"{result.moved} deleted, {result.failed} failed, {left}.")
    for text in sorted(result.reasons):
        note(f"orca-daemon: {text}")
    exit_if(failed=result.failed > 0)


def _ask_twice(
    settings: "Settings",
    queue: str,
    wanted: "DeadLetterFilter",
    most: int,
    *,
    yes: bool,
    confirmed: str | None,
    as_json: bool,
) -> None:
    refuse_unless_answered(yes=yes, as_json=as_json)
    if confirmed is not None and confirmed != queue:
        raise typer.BadParameter(f"{confirmed!r} is not the queue {queue!r}", param_hint="--confirm")
    if not yes:
        _print_plan(settings, queue, wanted, most, "deleted", as_json=False)
    confirm(f"Delete up to {most} dead letters of {queue} for good?", yes=yes, as_json=as_json)
    if confirmed is None:
        if yes:
            fail(f"--yes answers the first question; --confirm {queue} answers the second", USAGE)
        if typer.prompt(f"They cannot be brought back. Type {queue} to delete them", err=True) != queue:
            fail("nothing was deleted")


def _print_plan(
    settings: "Settings", queue: str, wanted: "DeadLetterFilter", most: int, verb: str, *, as_json: bool
) -> None:
    from orca_daemon.operations.dead_letters import peek

    peeked = run_on(settings, queue, peek(settings, queue, wanted, most))
    if as_json:
        letters = [json_of_letter(letter, queue) for letter in peeked.letters]
        print_json(f"dlq {verb.removesuffix('d')}", {f"would_be_{verb}": letters})
        return
    View().show(LETTERS[1:], (row_of_letter(letter, queue) for letter in peeked.letters))
    note(
        f"{len(peeked.letters)} of those that SQS returns would be {verb}; "
        f"the dead-letter queue of {queue} has about {peeked.approximate_count}."
    )


def _print_exported(exported: "Exported", *, deleted: bool, more: dict[str, str], as_json: bool) -> None:
    if as_json:
        counts = {"exported": exported.exported, "deleted": exported.deleted, "failed": exported.failed}
        print_json("dlq export", {**counts, "files": exported.files, "more": exported.more, **more})
    else:
        where = exported.files[0] if exported.files else "nowhere"
        others = f" and {len(exported.files) - 1} more" if len(exported.files) > 1 else ""
        gone = f", {exported.deleted} deleted" if deleted else ""
        typer.echo(f"{exported.exported} in {where}{others}{gone}.")
    if exported.more:
        hint = "no match, or newer" if deleted else "of a FIFO queue only --delete exports all"
        note(f"about {exported.more} more dead letters are on the queue: {hint}")
    for text in exported.reasons:
        note(f"orca-daemon: {text}")


def _target(text: str) -> "Path | S3Object":
    from orca_daemon.aws.s3copy import S3Object

    if not text.startswith(_S3):
        return Path(text)
    bucket, _, prefix = text.removeprefix(_S3).partition("/")
    if not bucket:
        raise typer.BadParameter(f"{text!r} is not of the form s3://bucket/prefix")
    return S3Object(bucket, prefix)
