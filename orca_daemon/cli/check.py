"""`orca-daemon check`: whether everything that the daemon needs is there."""

from typing import Annotated

import typer

from orca_daemon.cli.exits import FAILED, run, settings_or_exit
from orca_daemon.cli.options import AsCsv, AsJson, Config, Wide
from orca_daemon.cli.output import print_json
from orca_daemon.cli.table import Column
from orca_daemon.cli.view import Form, columns_option, view_of

FINDINGS = (
    Column(name="grade", rank=1),
    Column(name="subject", header="CHECK", least=12, identifies=True),
    Column(name="text", header="RESULT", rank=2, least=24, prose=True),
    Column(name="do", header="FIX", rank=3, least=24, prose=True),
    Column(name="start", header="AT START", rank=4, extra=True),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    bucket: Annotated[
        list[str] | None, typer.Option(help="Check that this bucket can be listed; repeatable.")
    ] = None,
    wide: Wide = False,
    columns: Annotated[str | None, columns_option(FINDINGS)] = None,
    as_csv: AsCsv = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Check that settings, queues, database and buckets are usable.

    Changes nothing.  Exits 0 if everything will work, 1 if something will not, 78 if the settings are wrong.
    Advice does not change the exit code.

    \b
    orca-daemon check --bucket orca-archive --bucket orca-reports
    """
    from orca_daemon.app.checkup import findings, works

    view = view_of(FINDINGS, wide=wide, columns=columns, as_csv=as_csv, as_json=as_json)
    results = run(findings(settings_or_exit(config, need_queue=True), tuple(bucket or ())))
    all_work = works(results)
    records = [
        {
            "subject": result.subject,
            "grade": result.grade,
            "text": result.text,
            "do": result.do,
            "start": result.at_start,
        }
        for result in results
    ]
    if as_json:
        print_json("check", {"works": all_work, "findings": records})
    else:
        view.show(FINDINGS, records)
    if view.form is Form.TABLE:
        typer.echo("Everything that was checked will work." if all_work else "Something will not work.")
    raise typer.Exit(0 if all_work else FAILED)
