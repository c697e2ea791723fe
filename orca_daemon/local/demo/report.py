"""Prints the results of the demo, and the addresses of the stack."""

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orca_daemon.local.demo.scene import DemoCheck, Step
from orca_daemon.local.state import LOG_FILE, STACK_FILE, Whereabouts


def as_table(steps: Sequence[Step], whereabouts: Whereabouts, state: Path, *, stays: bool) -> None:
    """Print the result of each step, and the addresses if the stack keeps running."""
    console = _console()
    table = Table(title="Results", title_justify="left", show_lines=True)
    for column in ("Step", "Seconds", "Result", "Checked in Postgres and S3"):
        # Fold long values instead of cutting them, because users copy keys and paths.
        table.add_column(column, justify="right" if column == "Seconds" else "left", overflow="fold")
    for step in steps:
        facts = "\n".join(f"{name}: [bold]{escape(str(fact))}[/]" for name, fact in step.facts.items())
        checks = "\n".join(_format_check(check) for check in step.checks)
        table.add_row(step.title, f"{step.seconds:.1f}", facts, checks)
    console.print(table)
    if stays:
        where_to_look(whereabouts, state)
        console.print("The daemon keeps running; Ctrl-C stops everything.")
    passed = all(step.holds for step in steps)
    console.print(
        "[green]Every check passed.[/]"
        if passed
        else "[red]Some checks failed.[/]  With --state DIR the daemon's log is kept."
    )


def _format_check(check: DemoCheck) -> str:
    sign = "[green]ok[/]" if check.holds else "[red]FAILED[/]"
    result = (
        f"{_short(check.actual)}" if check.holds else f"{_short(check.actual)}, not {_short(check.expected)}"
    )
    return f"{sign} {check.what}: {escape(result)}"


def _short(value: object) -> str:
    return str(len(value)) if isinstance(value, list) else str(value)


def as_json(steps: Sequence[Step], whereabouts: Whereabouts) -> None:
    """Print the results as one JSON object."""
    document = {
        "kind": "local",  # what every command's --json has (docs/operate.md)
        "format": 1,
        "ok": all(step.holds for step in steps),
        "steps": [
            {
                "title": step.title,
                "seconds": step.seconds,
                "ok": step.holds,
                "facts": step.facts,
                "checks": [_checked(check) for check in step.checks],
            }
            for step in steps
        ],
        "stack": whereabouts.without_passwords(),
    }
    print(json.dumps(document, default=str))  # noqa: T201  the output


def _checked(check: DemoCheck) -> dict[str, Any]:
    return {
        "what": check.what,
        "expected": check.expected,
        "found": check.actual,
        "ok": check.holds,
    }


def where_to_look(whereabouts: Whereabouts, state: Path) -> None:
    """Print the addresses of a running stack, with commands that use them."""
    table = Table(title="Addresses", title_justify="left", show_header=False, box=None)
    protected = whereabouts.buckets["protected"]
    endpoint = shlex.quote(whereabouts.aws_endpoint_url)
    stack = shlex.quote(str(state / STACK_FILE))
    rows = {
        "metrics": f"{whereabouts.http_url}/metrics",
        "health": f"{whereabouts.http_url}/readyz",
        # Print no password, because terminals and logs keep what is printed.
        "database": f'psql "$(jq -r .database_url {stack})" -c "TABLE orca.recovery_job"',
        "recovered files": f"aws --no-sign-request --endpoint-url {endpoint} s3 ls --recursive s3://{protected}",
        "SQS": whereabouts.sqs_endpoint_url,
        "everything": f"{state / STACK_FILE}: all addresses, and the variables that orca-daemon needs here",
    }
    if (state / LOG_FILE).exists():
        rows["log"] = str(state / LOG_FILE)
    for name, value in rows.items():
        table.add_row(f"[bold]{name}[/]", escape(value))
    _console().print(table, soft_wrap=True)


def _console() -> Console:
    """Standard output; a file or a pipe has no width, so it gets one that wraps few lines."""
    return Console(width=None if sys.stdout.isatty() else 140)
