"""`orca-daemon check`: whether everything that the daemon needs is there."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from orca_daemon.cli.options import AsJson, Config
from orca_daemon.cli.settings import settings_or_exit

if TYPE_CHECKING:
    from orca_daemon.app.checkup import Finding


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    bucket: Annotated[
        list[str] | None, typer.Option(help="Also see whether this bucket can be listed; repeat it.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Check that settings, queues, database and buckets are usable.

    Nothing is changed.  Exits 0 when everything will work, 1 when something will not, 78 when the settings
    are wrong.  Advice never changes the exit code.

    \b
    orca-daemon check --bucket orca-archive --bucket orca-reports
    """
    from orca_daemon.app.checkup import findings, works
    from orca_daemon.cli.connections import run

    found = run(findings(settings_or_exit(config, need_queue=True), tuple(bucket or ())))
    fine = works(found)
    if as_json:
        lines = [
            {
                "subject": each.subject,
                "grade": each.grade,
                "text": each.text,
                "do": each.do,
                "start": each.at_start,
            }
            for each in found
        ]
        typer.echo(json.dumps({"works": fine, "findings": lines}, indent=2))
    else:
        _show(found)
        typer.echo("Everything that was looked at will work." if fine else "Something will not work.")
    raise typer.Exit(0 if fine else 1)


def _show(found: "list[Finding]") -> None:
    from orca_daemon.cli.tables import show

    show(
        ("", "what", "found", "do"), ((each.grade.value, each.subject, each.text, each.do) for each in found)
    )
