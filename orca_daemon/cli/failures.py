"""`orca-daemon failures`: what failed and why, and recovering or sending back everything with one reason."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from orca_daemon.cli.acting import ActionId, action, exit_if, recorded_id
from orca_daemon.cli.confirm import confirm, refuse_unless_answered
from orca_daemon.cli.dlq import count_record, print_plan, print_sent_back, send_back
from orca_daemon.cli.exits import USAGE, errors_exit, fail, run, settings_or_exit
from orca_daemon.cli.options import AsCsv, AsJson, Config, Wide, Yes, parse_time
from orca_daemon.cli.output import counter, note, print_json
from orca_daemon.cli.table import Column
from orca_daemon.cli.view import Form, View, columns_option, view_of

if TYPE_CHECKING:
    from orca_daemon.operations.failures import FailureGroup, Failures
    from orca_daemon.operations.group_recovery import JobFile
    from orca_daemon.settings import Settings

_UNKNOWN = 200
"""Dead letters without a record that are read from each queue."""
_SAMPLE = 100
"""Files whose objects a dry run reads."""
GROUPS = (
    Column(name="reason_id", header="ID", least=10, identifies=True),
    Column(name="source", header="WHAT", rank=3),
    Column(name="queue", rank=6),
    Column(name="count", number=True, rank=1),
    Column(name="first", header="FIRST (UTC)", rank=7),
    Column(name="last", header="LAST (UTC)", rank=4),
    Column(name="reason", rank=2, least=24, prose=True),
    Column(name="example", rank=8, extra=True, least=24, prose=False),
    Column(name="example_id", header="OF", rank=9, extra=True, least=16),
)
FILES = (
    Column(name="job_id", rank=4, least=16),
    Column(name="filename", header="FILE", least=20, middle=True, identifies=True),
    Column(name="object", rank=3, least=24, middle=True),
    Column(name="finding", rank=2, least=20, prose=True),
    Column(name="error", rank=5, extra=True, least=16),
)
_SOURCES = {
    "files": "files of recoveries",
    "reports": "comparisons",
    "exports": "exports",
    "dead_letters": "dead letters",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("failures")(failures)


def failures(
    since: Annotated[
        str,
        typer.Option(
            help="Only what failed at this time or later: ISO 8601, today, yesterday, or a span before now."
        ),
    ] = "7d",
    reason_id: Annotated[
        str | None, typer.Option("--reason-id", metavar="ID", help="Only this reason, by its id.")
    ] = None,
    recover: Annotated[
        bool, typer.Option("--recover", help="Request the copies of the reason's files again.")
    ] = False,
    redrive: Annotated[
        bool, typer.Option("--redrive", help="Send the reason's dead letters back to their queue.")
    ] = False,
    most: Annotated[int, typer.Option("--max", min=1, help="The most to request or to send.")] = 1000,
    rate: Annotated[
        float, typer.Option(min=0, help="How many to request or to send in a second; 0 for no limit.")
    ] = 10,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, do nothing.")] = False,
    yes: Yes = False,
    action_id: ActionId = None,
    wide: Wide = False,
    columns: Annotated[str | None, columns_option(GROUPS)] = None,
    as_csv: AsCsv = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show what failed, grouped by reason; recover or redrive a group.

    Files of recoveries, comparisons, exports and dead letters of all queues are grouped by their reason, with
    placeholders for names, numbers and times.  The id of a reason stays the same.  With it:

    --recover reads the objects of the files in the archive, and requests a copy of each that can be copied.
    --redrive sends the dead letters back to their queue, each group in order.  Fix the cause first.

    If it is cut short, the same command with --action-id and the id that it printed goes on.

    \b
    orca-daemon failures
    orca-daemon failures --since 24h --json
    orca-daemon failures --reason-id 17cc752eea --recover --dry-run
    orca-daemon failures --reason-id 17cc752eea --redrive --max 500 --rate 20 --yes
    """
    if recover and redrive:
        raise typer.BadParameter("one of --recover and --redrive")
    acts = recover or redrive
    if acts and reason_id is None:
        raise typer.BadParameter("name the group with --reason-id", param_hint="--reason-id")
    view = view_of(GROUPS, wide=wide, columns=columns, as_csv=as_csv, as_json=as_json)
    if acts:
        refuse_unless_answered(yes=yes or dry_run, as_json=as_json)
    settings = settings_or_exit(config)
    start = parse_time(since, datetime.now(UTC), "--since") or datetime.now(UTC)
    found = _read(settings, start, read_unknown=not recover)
    if reason_id is not None:
        begun = _of_action(settings, action_id, reason_id) if acts else None
        found = replace(found, groups=[begun or _found(found, reason_id)])
    if not acts:
        _print(view, found, chosen=reason_id is not None)
    elif recover:
        _recover(settings, found, most, rate, action_id, dry_run=dry_run, yes=yes, view=view)
    else:
        _redrive(settings, found.groups[0], start, most, rate, action_id, dry_run=dry_run, yes=yes, view=view)


def _read(settings: "Settings", since: datetime, *, read_unknown: bool) -> "Failures":
    from orca_daemon.operations.failures import read_failures

    return run(read_failures(settings, since, most_unknown=_UNKNOWN if read_unknown else 0))


def _of_action(settings: "Settings", action_id: UUID | None, reason: str) -> "FailureGroup | None":
    from orca_daemon.operations.failures import group_of_action

    return run(group_of_action(settings, action_id, reason)) if action_id else None


def _found(found: "Failures", reason: str) -> "FailureGroup":
    with errors_exit():
        return found.find(reason)


def _print(view: View, found: "Failures", *, chosen: bool) -> None:
    groups = [_record(group) for group in found.groups]
    queues = [count_record(count) for count in found.queues]
    if view.form is Form.JSON:
        print_json("failures", {"since": found.since, "groups": groups, "queues": queues})
        return
    view.show(GROUPS, groups, empty=f"Nothing failed since {found.since:%Y-%m-%dT%H:%M:%SZ}.")
    if chosen and view.form is Form.TABLE:
        note(f"example, of {groups[0]['example_id']}: {groups[0]['example']}")
    for count in found.queues:
        if count.more:
            note(f"{count.queue}: about {count.more} more dead letters without a record in the database")
        if count.problem:
            note(f"{count.queue}: its dead letters cannot be counted: {count.problem}")
    if groups and not chosen and view.form is Form.TABLE:
        note("--reason-id ID shows an example; with --recover or --redrive it acts")


def _recover(
    settings: "Settings",
    found: "Failures",
    most: int,
    rate: float,
    action_id: UUID | None,
    *,
    dry_run: bool,
    yes: bool,
    view: View,
) -> None:
    from orca_daemon.operations.errors import UnknownQueueError
    from orca_daemon.operations.group_recovery import plan_recovery, recover_group

    group, as_json = found.groups[0], view.form is Form.JSON
    if not group.can_recover:
        fail(f"{group.reason_id} is a reason of {_SOURCES[group.source]}; --recover is for files", USAGE)
    if dry_run:
        files = run(plan_recovery(settings, group, found.since, most=min(most, _SAMPLE)))
        _print_plan(group, files, most, as_json=as_json)
        return
    count = min(most, group.count)
    confirm(
        f"Request the copies of up to {count:,} of {group.count:,} files again?", yes=yes, as_json=as_json
    )
    with action(settings, action_id) as request, counter("requested", quiet=as_json) as progress:
        work = recover_group(
            settings, group, found.since, most=most, rate=rate, request=request, progress=progress
        )
        try:
            done = run(work)
        except UnknownQueueError as error:
            fail(str(error), USAGE)
    if as_json:
        counts = {"posted": done.posted, "not_ready": done.not_ready, "failed": done.failed}
        document = {"reason_id": group.reason_id, **counts, "error": done.error}
        print_json("failures", document | recorded_id(settings, request))
    else:
        typer.echo(f"copy requests posted: {done.posted}; not ready: {done.not_ready}; failed: {done.failed}")
    if done.error:
        note(f"not posted: {done.error}")
    exit_if(failed=done.failed > 0)


def _redrive(
    settings: "Settings",
    group: "FailureGroup",
    since: datetime,
    most: int,
    rate: float,
    action_id: UUID | None,
    *,
    dry_run: bool,
    yes: bool,
    view: View,
) -> None:
    as_json = view.form is Form.JSON
    if not group.can_redrive or group.queue is None:
        text = f"{group.reason_id} is a reason of {_SOURCES[group.source]}; --redrive is for dead letters"
        fail(text, USAGE)
    from orca_daemon.operations.failures import letters_of

    wanted = letters_of(group, since)
    if dry_run:
        print_plan(settings, group.queue, wanted, most, View(view.form))
        return
    count = min(most, group.count)
    confirm(f"Send up to {count:,} dead letters back to {group.queue}?", yes=yes, as_json=as_json)
    about = {"reason_id": group.reason_id, "reason": group.reason, "most": most}
    with action(settings, action_id) as request:
        result = send_back(settings, group.queue, wanted, most, rate, request, about, quiet=as_json)
    print_sent_back(result, {"reason_id": group.reason_id, **recorded_id(settings, request)}, as_json=as_json)


def _record(group: "FailureGroup") -> dict[str, Any]:
    return {
        "reason_id": group.reason_id,
        "source": group.source.value,
        "queue": group.queue,
        "count": group.count,
        "first": group.first,
        "last": group.last,
        "reason": group.reason,
        "example": group.example,
        "example_id": group.example_id,
        "can_recover": group.can_recover,
        "can_redrive": group.can_redrive,
    }


def _print_plan(group: "FailureGroup", files: "list[JobFile]", most: int, *, as_json: bool) -> None:
    rows = [
        {
            "job_id": each.job_id,
            "filename": each.checked.file.filename,
            "object": f"s3://{each.checked.file.archive_destination}/{each.checked.file.key_path}",
            "finding": each.checked.reason or each.checked.file_state.value,
            "error": each.checked.file.error_message,
        }
        for each in files
    ]
    if as_json:
        print_json("failures", {"reason_id": group.reason_id, "files": group.count, "checked": rows})
        return
    View().show(FILES, rows)
    for state, count in Counter(each.checked.file_state for each in files).items():
        note(f"{count} {'object' if count == 1 else 'objects'}: {state.value}")
    note(
        f"these are the first {len(files)} of {group.count:,} files; "
        f"{min(most, group.count):,} would be looked at, and those that can be copied requested"
    )
