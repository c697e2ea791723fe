"""`orca-daemon restore`: bring granules back from the archive."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn
from uuid import uuid4

import typer

from orca_daemon.cli.confirm import confirm
from orca_daemon.cli.exits import FAILED, USAGE, errors_exit, fail, run, settings_or_exit
from orca_daemon.cli.options import AsCsv, AsJson, Config, Wide, Yes
from orca_daemon.cli.output import counted, format_bytes, note, print_json, print_table
from orca_daemon.cli.sending import queue_url_or_exit
from orca_daemon.cli.table import Column
from orca_daemon.cli.view import Form, View, columns_option, view_of
from orca_daemon.settings import Settings
from orca_daemon.wire.restore import Tier

if TYPE_CHECKING:
    from orca_daemon.db.archived import WantedGranule
    from orca_daemon.operations.restore_plan import RestorePlan
    from orca_daemon.producer.batch import Sent
    from orca_daemon.wire.outgoing import Outgoing

ASKS_ABOVE = 1024**4
"""Bytes above which the command asks: 1 TiB."""
_MOST_REASONS = 20
"""Reasons of a refusal that are printed one by one."""
SHARES = (
    Column(name="archive", header="FROM", rank=3, least=16, middle=True),
    Column(name="destination", header="TO", least=16, middle=True),
    Column(name="storage_class", header="CLASS", rank=1),
    Column(name="objects", rank=2, number=True),
    Column(name="bytes", rank=4, number=True),
    Column(name="time", header="TIME UNTIL READABLE", rank=5),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("restore")(restore)


def restore(
    granules: Annotated[
        list[str] | None, typer.Argument(metavar="[GRANULE]...", help="Ids of granules.", show_default=False)
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file",
            "-f",
            help="A granule id a line, or JSON with collectionId and granuleId; - reads standard input.",
        ),
    ] = None,
    collection: Annotated[
        str | None, typer.Option(help="Collection of the granules; needed for an id that several have.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="Bucket for all files; default: by restore.destinations.")
    ] = None,
    tier: Annotated[
        Tier | None, typer.Option(case_sensitive=False, help="How fast; default: restore.tier.")
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            min=1, max=36_500, help="Days for which S3 keeps a restored object; default: the setting."
        ),
    ] = None,
    archive: Annotated[str | None, typer.Option(help="Only files in this archive bucket.")] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Leave out files with this extension, such as .xml; repeatable.")
    ] = None,
    job: Annotated[
        str | None, typer.Option(help="Id of the job; repeat a command with its job to complete it.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, post nothing.")] = False,
    yes: Yes = False,
    queue: Annotated[
        str, typer.Option("--queue", help="The queue: its name in the settings, or its URL.")
    ] = "restore",
    wide: Wide = False,
    columns: Annotated[str | None, columns_option(SHARES)] = None,
    as_csv: AsCsv = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Bring granules back from the archive, to their buckets.

    Finds the files in the catalog, asks whether their buckets exist, shows the plan, and posts requests to
    the restore queue, all for one job.  It asks before it restores more than 1 TiB.  A command that was
    interrupted is repeated with its --job: nothing is asked for or copied twice.  CSV has the plan.

    Exit codes: 0 posted; 1 refused, or not all was posted; 2 usage; 78 settings are wrong.

    \b
    orca-daemon restore MOD09GQ.A2026060.h08v05.006 --dry-run
    orca-daemon restore --file granules.txt --collection MOD09GQ___006 --tier Bulk
    orca-daemon restore G1 G2 --to my-protected --days 10 --json
    """
    view = view_of(SHARES, wide=wide, columns=columns, as_csv=as_csv, as_json=as_json)
    wanted = _wanted(granules or [], file, collection)
    settings = settings_or_exit(config)
    job_id = job or str(uuid4())
    made = _plan(settings, wanted, tier, days, to, archive, exclude)
    requests = _checked(settings, made, job_id)
    missing, unknown = _destinations(settings, made)
    if view.form is not Form.JSON:
        _print_plan(view, settings, made)
    for sentence in unknown:
        note(sentence)
    if missing:
        _refuse(missing)
    if dry_run or not made.objects:
        _print_result(view, job_id, made, [], dry_run=dry_run)
        return
    url = queue_url_or_exit(settings, queue)
    messages = _messages(settings, requests, url)
    quiet = view.form is not Form.TABLE
    _confirm(made, url, yes=yes, as_json=quiet)
    if not as_json:
        note(f"job {job_id}") if as_csv else typer.echo(f"job {job_id}")
    sent = _post(settings, messages, url, quiet=quiet)
    _print_result(view, job_id, made, sent, dry_run=False)
    if any(result.message_id is None for result in sent):
        raise typer.Exit(FAILED)


def _wanted(granules: Sequence[str], file: str | None, collection: str | None) -> "list[WantedGranule]":
    from orca_daemon.db.archived import WantedGranule
    from orca_daemon.operations.restore_input import read_wanted
    from orca_daemon.wire.wire_model import MalformedError

    if bool(granules) == (file is not None):
        raise typer.BadParameter("name either granules or --file")
    if file is None:
        return [WantedGranule(granule, collection) for granule in dict.fromkeys(granules)]
    try:
        wanted = read_wanted(sys.stdin if file == "-" else _lines(Path(file)), collection)
    except UnicodeDecodeError:
        fail(f"{file} is not text in UTF-8", USAGE)
    except (MalformedError, OSError) as error:
        fail(str(error), USAGE)
    if not wanted:
        raise typer.BadParameter("the file names no granule", param_hint="--file")
    return wanted


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as lines:
        yield from lines


def _plan(
    settings: Settings,
    wanted: "Sequence[WantedGranule]",
    tier: Tier | None,
    days: int | None,
    to: str | None,
    archive: str | None,
    exclude: Sequence[str] | None,
) -> "RestorePlan":
    from orca_daemon.operations.restore_plan import RefusedRestoreError, RestoreOptions
    from orca_daemon.operations.restoring import plan_restore

    options = RestoreOptions(
        tier=tier or settings.restore.tier,
        days=days,
        to=to,
        destinations=settings.restore.destinations,
        archive=archive,
        excluded=tuple(exclude or ()),
    )
    try:
        return run(plan_restore(settings, wanted, options))
    except RefusedRestoreError as error:
        _refuse(error.reasons)


def _checked(settings: Settings, plan: "RestorePlan", job_id: str) -> Any:
    from orca_daemon.operations.restore_plan import RefusedRestoreError
    from orca_daemon.operations.restoring import check_plan

    try:
        return check_plan(settings, plan, job_id)
    except RefusedRestoreError as error:
        _refuse(error.reasons)


def _destinations(settings: Settings, plan: "RestorePlan") -> tuple[list[str], list[str]]:
    from orca_daemon.operations.restoring import missing_destinations

    return run(missing_destinations(settings, plan))


def _messages(settings: Settings, requests: Any, url: str) -> "list[Outgoing]":
    from orca_daemon.operations import restoring
    from orca_daemon.operations.restore_plan import RefusedRestoreError
    from orca_daemon.producer import SendError

    with errors_exit(SendError):
        try:
            return restoring.messages(settings, requests, url)
        except RefusedRestoreError as error:
            _refuse(error.reasons)


def _refuse(reasons: Sequence[str]) -> NoReturn:
    """Print why nothing is posted, and exit 1."""
    for reason in reasons[:_MOST_REASONS]:
        typer.echo(f"orca-daemon: {reason}", err=True)
    if (more := len(reasons) - _MOST_REASONS) > 0:
        typer.echo(f"orca-daemon: and {more:,} more", err=True)
    typer.echo("orca-daemon: nothing was posted", err=True)
    raise typer.Exit(FAILED)


def _confirm(plan: "RestorePlan", url: str, *, yes: bool, as_json: bool) -> None:
    """Ask if the plan is large."""
    if yes or plan.to_restore <= ASKS_ABOVE:
        return
    note(f"this restores {format_bytes(plan.to_restore)}, which is more than 1 TiB")
    confirm(f"Send it to {url.rpartition('/')[2]}?", yes=yes, as_json=as_json)


def _post(settings: Settings, messages: "Sequence[Outgoing]", url: str, *, quiet: bool) -> "list[Sent]":
    from orca_daemon.operations.restoring import post

    with errors_exit():
        results = post(settings, messages, url)
        return list(counted(results, "posting requests", len(messages), quiet=quiet))


def _print_plan(view: View, settings: Settings, plan: "RestorePlan") -> None:
    view.show(SHARES, _shares(plan), title=_title(plan))
    if view.form is Form.TABLE and not view.names:
        _print_times(settings, plan)
    if plan.excluded:
        note(f"{_counted(plan.excluded, 'file')} left out by --exclude")


def _title(plan: "RestorePlan") -> str:
    granules, objects = _counted(len(plan.granules), "granule"), _counted(plan.objects, "object")
    return f"{granules}, {objects}, {format_bytes(plan.bytes)}, tier {plan.options.tier}"


def _print_times(settings: Settings, plan: "RestorePlan") -> None:
    """How long AWS says each tier takes for the classes of the plan, and how long asking takes."""
    from orca_daemon.aws.restore_times import ARCHIVED, REQUESTS_PER_SECOND, how_long

    classes = sorted({share.storage_class for share in plan.shares} & ARCHIVED)
    if not classes:
        return
    typer.echo("How long AWS says a restore takes:")
    print_table(("tier", *classes), ((each, *(how_long(one, each) for one in classes)) for each in Tier))
    archived = sum(share.objects for share in plan.shares if share.storage_class in ARCHIVED)
    rate = settings.restore.per_second
    note(
        f"Asking takes {max(1, round(archived / rate)):,} s or more: each daemon sends {rate:g} requests"
        f" a second (restore.per_second); AWS accepts {REQUESTS_PER_SECOND:,} per account and region."
    )


def _shares(plan: "RestorePlan") -> list[dict[str, Any]]:
    from orca_daemon.aws.restore_times import how_long

    return [
        asdict(share) | {"time": how_long(share.storage_class, plan.options.tier)} for share in plan.shares
    ]


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _print_result(
    view: View, job_id: str, plan: "RestorePlan", sent: "Sequence[Sent]", *, dry_run: bool
) -> None:
    if view.form is Form.JSON:
        print_json("restore", _document(job_id, plan, sent, dry_run=dry_run))
        return
    if dry_run or not plan.objects:
        note("nothing was posted" if dry_run else "nothing to restore")
        return
    failures = [result for result in sent if result.message_id is None]
    for result in failures[:_MOST_REASONS]:
        note(f"  not posted: {result.error}")
    posted = f"requests posted: {len(sent) - len(failures)} of {len(sent)}"
    note(posted) if view.form is Form.CSV else typer.echo(posted)
    if failures:
        note(f"repeat the command with --job {job_id}: nothing is asked for twice")
    else:
        note(f"to follow it: orca-daemon job {job_id}")


def _document(job_id: str, plan: "RestorePlan", sent: "Sequence[Sent]", *, dry_run: bool) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "dry_run": dry_run,
        "tier": plan.options.tier.value,
        "days": plan.options.days,
        "granules": len(plan.granules),
        "objects": plan.objects,
        "bytes": plan.bytes,
        "bytes_to_restore": plan.to_restore,
        "excluded": plan.excluded,
        "shares": _shares(plan),
        "posted": sum(result.message_id is not None for result in sent),
        "messages": [{"message_id": result.message_id, "error": result.error} for result in sent],
    }
