"""`orca-daemon check`: whether everything that the daemon needs is there."""

from typing import Annotated

import typer

from orca_daemon.cli.exits import FAILED, run, settings_or_exit
from orca_daemon.cli.options import AsJson, Config
from orca_daemon.cli.output import print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    bucket: Annotated[
        list[str] | None, typer.Option(help="Check that this bucket can be listed; repeatable.")
    ] = None,
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

    results = run(findings(settings_or_exit(config, need_queue=True), tuple(bucket or ())))
    all_work = works(results)
    if as_json:
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
        print_json({"works": all_work, "findings": records})
    else:
        rows = ((result.grade.value, result.subject, result.text, result.do) for result in results)
        print_table(("", "check", "result", "fix"), rows)
        typer.echo("Everything that was checked will work." if all_work else "Something will not work.")
    raise typer.Exit(0 if all_work else FAILED)
