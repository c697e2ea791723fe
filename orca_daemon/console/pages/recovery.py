"""The page `/recoveries/job?id=`: one recovery with its files, why files failed, and what happened when."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from orca_daemon.console import cursors
from orca_daemon.console.context import Context
from orca_daemon.console.pages.pauses import Hindrance, hindrances
from orca_daemon.console.pages.recoveries import FILE_STATES, SQL, Job, job_of
from orca_daemon.console.pages.timeline import timeline
from orca_daemon.console.rendering import page
from orca_daemon.console.show import link
from orca_daemon.console.states import State
from orca_daemon.db import control
from orca_daemon.operations.folding import fold
from orca_daemon.settings import Settings

router = APIRouter()
_ROWS = 50
_MOST = 50_000
"""Files that are counted."""
_MOST_REASONS = 20
_RECENT = 600.0
"""Seconds over which the rate is measured."""
_ACTIONS_LOOKED, _ACTIONS_SHOWN = 2_000, 20
"""Actions since the request that are looked through, and that the timeline shows; no index has the job."""
_STATUSES = {"": None, "pending": 1, "staged": 2, "failed": 3, "success": 4}


@dataclass(frozen=True, slots=True)
class Details:
    """Everything that the page shows of a job."""

    job: Job
    restores: Any
    actions: Sequence[Any]
    """Recoveries of it by operators, the newest first."""
    hindrances: Sequence[Hindrance]
    errors: Sequence[Any]
    files: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which files of the job the page lists."""

    status: int | None
    granule: str | None
    after: Sequence[str]
    """Collection, granule and name of the last file of the page before."""


@router.get("/recoveries/job", response_class=HTMLResponse, include_in_schema=False)
async def recovery(
    request: Request,
    context: Context,
    id: Annotated[str, Query(max_length=4_000)],  # noqa: A002  the name in the address
    status: Annotated[str, Query(max_length=16)] = "",
    granule: Annotated[str, Query(max_length=4_000)] = "",
    after: Annotated[str, Query(max_length=16_000)] = "",
) -> HTMLResponse:
    """The page."""
    status = status if status in _STATUSES else ""
    start = ("", "", "")
    if after:
        try:
            start = tuple(cursors.read(after, str, str, str))
        except cursors.CursorError:
            after = ""
    readable = "\x00" not in id + granule
    chosen = Chosen(_STATUSES[status], granule or None, start)
    details = await context.reader.read(_read, context.settings, id, chosen) if readable else None
    if details is None:
        return page(request, "missing.html", status=404, what="recovery", name=id, back="/recoveries")
    return page(
        request,
        "recovery.html",
        **_shown(details, status),
        granule=granule,
        first=bool(after),
        address=link("/recoveries/job", {"id": id, "status": status, "granule": granule, "after": after}),
    )


def _read(connection: Connection, settings: Settings, job_id: str, chosen: Chosen) -> Details | None:
    values = {"job": job_id, "most": _MOST}
    requested = connection.execute(SQL["exists"], values).first()
    if requested is None:
        return None
    counts = connection.execute(SQL["counts"], {"jobs": [job_id], "most": _MOST}).one()
    job = job_of(requested.request_time, counts, _MOST)
    place = dict(zip(("collection", "granule", "filename"), chosen.after, strict=True))
    wanted = {"job": job_id, "status": chosen.status, "only": chosen.granule, "limit": _ROWS + 1}
    files = connection.execute(SQL["files"], {**wanted, **place}).all()
    return Details(
        job,
        connection.execute(SQL["restores"], values).one(),
        _actions(connection, job),
        hindrances(connection, settings) if job.success < job.files else (),
        connection.execute(SQL["errors"], values).all() if job.failed else (),
        files,
    )


def _actions(connection: Connection, job: Job) -> Sequence[Any]:
    if not control.installed(connection):
        return ()
    limits = {"looked": _ACTIONS_LOOKED, "limit": _ACTIONS_SHOWN}
    return connection.execute(SQL["actions"], {"job": job.job_id, "since": job.request_time, **limits}).all()


def _shown(details: Details, status: str) -> dict[str, Any]:
    job, files = details.job, details.files[:_ROWS]
    waiting = job.pending + job.staged
    rate = job.recent / _RECENT
    last = files[-1] if len(details.files) > _ROWS else None
    return {
        "job": job,
        "bytes": details.restores.bytes,
        "rate": f"{60 * rate:,.1f} files a minute",
        "left": waiting / rate if rate and waiting else None,
        "errors": grouped(details.errors)[:_MOST_REASONS],
        "timeline": timeline(job, details.restores, details.actions),
        "hindrances": details.hindrances,
        "tabs": [
            ("", "all", job.files),
            ("pending", "pending", job.pending),
            ("staged", "staged", job.staged),
            ("failed", "failed", job.failed),
            ("success", "success", job.success),
        ],
        "wanted": status,
        "files": [_file(row) for row in files],
        "next": cursors.write(last.collection_id, last.granule_id, last.filename) if last else None,
    }


def _file(row: Any) -> dict[str, Any]:
    state = FILE_STATES.get(row.status_id, State("?", "warn"))
    fields = row._mapping  # noqa: SLF001  SQLAlchemy's documented name
    return {**fields, "state": state}


def grouped(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Messages that differ only in keys, ids and numbers, counted together, the most frequent first."""
    groups: dict[str, dict[str, Any]] = {}
    for row in rows:
        reason = fold(row.error_message) or "no reason was given"
        group = groups.setdefault(
            reason, {"reason": reason, "count": 0, "example": row.example, "last": row.last}
        )
        group["count"] += row.files
        group["last"] = max(group["last"], row.last)
    return sorted(groups.values(), key=lambda group: -int(group["count"]))
