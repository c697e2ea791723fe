"""Prints the results of the demo, step by step."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from orca_daemon.local.demo.scene import DemoCheck, Step
from orca_daemon.local.state import Whereabouts


def print_step(step: Step) -> None:
    """Print the result of a step: what was done, and what was checked in Postgres, SQS and S3."""
    console = _console()
    console.print(f"[bold]{escape(step.title)}[/] ({step.seconds:.1f} s)")
    for name, fact in step.facts.items():
        console.print(f"       {escape(f'{name}: {fact}')}")
    for check in step.checks:
        console.print(f"  {_format_check(check)}")


def print_result(steps: Sequence[Step]) -> None:
    """Print whether everything is as it should be."""
    checks = [check for step in steps for check in step.checks]
    failed, seconds = sum(not check.holds for check in checks), sum(step.seconds for step in steps)
    _console().print(
        f"[red]{failed} of {len(checks)} checks failed.[/]  With --state DIR the daemon's log is kept."
        if failed
        else f"[green]Every check passed[/]: {len(checks)} checks in {seconds:.0f} s."
    )


def _format_check(check: DemoCheck) -> str:
    sign = "[green]ok  [/]" if check.holds else "[red]FAILED[/]"
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


def _console() -> Console:
    """Standard output; long values are not wrapped, because users copy keys and paths."""
    return Console(soft_wrap=True, highlight=False)
