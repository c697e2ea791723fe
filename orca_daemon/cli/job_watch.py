"""`orca-daemon job JOB --watch`: percent, bytes, rate and time left, until the job has ended."""

import sys
from asyncio import sleep
from contextlib import nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import typer

from orca_daemon.cli.exits import FAILED, run
from orca_daemon.cli.output import format_bytes, note, print_json, say

if TYPE_CHECKING:
    from orca_daemon.db.job_progress import JobProgress
    from orca_daemon.operations.job_progress import Watched
    from orca_daemon.settings import Settings

INTERVAL = 2.0
"""Seconds between two readings."""
_QUIET = 30.0
"""Seconds after which a pipe gets a line although nothing has changed."""


def watch(settings: "Settings", job_id: str, *, as_json: bool) -> None:
    """Show the job until it has ended; exits 1 if files failed.

    A terminal has one line that changes; a pipe gets a line when something changed; with JSON, each line is
    an object.
    """
    last = run(_watch(settings, job_id, as_json=as_json))
    if last.progress.failed:
        if not as_json:
            files = "file" if last.progress.failed == 1 else "files"
            note(f"{last.progress.failed:,} {files} failed: orca-daemon job {last.job_id} --status failed")
        raise typer.Exit(FAILED)


async def _watch(settings: "Settings", job_id: str, *, as_json: bool) -> "Watched":
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from orca_daemon.operations.job_progress import watch_job

    on_terminal = sys.stdout.isatty() and not as_json
    shown: Watched | None = None
    last: Watched | None = None
    live = Live(console=Console(), transient=True, auto_refresh=False) if on_terminal else None
    with live or nullcontext():
        async for watched in watch_job(settings, job_id, interval=INTERVAL, sleep=sleep):
            if live:
                live.update(Text(line(watched)), refresh=True)
            elif shown is None or _is_news(shown, watched):
                _print(watched, as_json=as_json)
                shown = watched
            last = watched
    assert last is not None  # noqa: S101  a job is read at least once
    if live:
        say(line(last))
    return last


def _is_news(shown: "Watched", watched: "Watched") -> bool:
    before, now = shown.progress, watched.progress
    changed = (before.staged, before.ended) != (now.staged, now.ended)
    return changed or (now.read_at - before.read_at).total_seconds() >= _QUIET


def _print(watched: "Watched", *, as_json: bool) -> None:
    if as_json:
        print_json("job watch", record(watched), indent=None)
    else:
        say(line(watched))
    sys.stdout.flush()


def record(watched: "Watched") -> dict[str, Any]:
    """A reading, for `--json`."""
    now, pace = watched.progress, watched.pace
    return {
        "job_id": watched.job_id,
        "percent": round(now.percent, 2),
        "files": now.files,
        "pending": now.pending,
        "staged": now.staged,
        "failed": now.failed,
        "success": now.success,
        "bytes": now.bytes.total,
        "bytes_copied": now.bytes.copied,
        "files_with_size": now.bytes.sized,
        "files_per_second": pace.files_per_second,
        "bytes_per_second": pace.bytes_per_second,
        "seconds_left": pace.seconds_left,
        "last_update": now.last_update,
        "read_at": now.read_at,
        "ended": now.is_over,
    }


def summary(now: "JobProgress") -> str:
    """How much of a job is copied, in one line, as `orca-daemon jobs` counts it: a failure is not done."""
    counts = {"failed": now.failed, "staged": now.staged, "pending": now.pending}
    others = [f"{count:,} {status}" for status, count in counts.items() if count]
    share = f"{100 * now.success // now.files} %" if now.files else "no files"
    copied = f"{now.success:,} of {now.files:,} files copied ({share})"
    return "  ".join([", ".join([copied, *others]), *_sizes(now)])


def _sizes(now: "JobProgress") -> list[str]:
    if not now.bytes.total:
        return []
    known = "" if now.bytes.sized == now.files else f" known of {now.bytes.sized:,} files"
    return [f"{format_bytes(now.bytes.copied)} of {format_bytes(now.bytes.total)}{known}"]


def line(watched: "Watched") -> str:
    """A reading, in one line; a failure is an end."""
    now, pace = watched.progress, watched.pace
    parts = [
        f"{watched.job_id}  {now.percent:.1f} %",
        f"{now.ended:,} of {now.files:,} files ({now.staged:,} staged, {now.failed:,} failed)",
        *_sizes(now),
    ]
    if now.is_over:
        return "  ".join([*parts, "ended"])
    if pace.bytes_per_second:
        parts.append(f"{format_bytes(round(pace.bytes_per_second))}/s")
    elif pace.files_per_second:
        parts.append(f"{pace.files_per_second:,.1f} files/s")
    parts.append(_left(pace.seconds_left))
    return "  ".join(parts)


def _left(seconds: float | None) -> str:
    if seconds is None:
        return "time left unknown"
    try:
        return f"{timedelta(seconds=round(seconds))} left"
    except OverflowError:
        return "time left unknown"
