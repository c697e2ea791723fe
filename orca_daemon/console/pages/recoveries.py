"""The page `/recoveries`: recovery jobs, the newest first, by status and time, or as searched for."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection, text

from orca_daemon.console import cursors
from orca_daemon.console.context import Context
from orca_daemon.console.rendering import page
from orca_daemon.console.show import estimate, link, plural, rounded
from orca_daemon.console.states import State
from orca_daemon.db.jobs import near_collections
from orca_daemon.db.sql import load

router = APIRouter()
SQL = load(__package__, "recoveries.sql")
ROWS = 50
MOST_FILES = 5_000
"""Files of a job that a list counts; of a larger job the list shows how far these are."""
_SCANS = (500, 20_000)
"""Entries of the index that are read for a page: few at first, and more if these do not fill it."""
_FURTHER = 100_000
"""Entries for a status that no index has, if so many files failed that all granules are looked through."""
_FAILED_FILES = 20_000
"""Failed files by which granules are found; if there are more, granules that failed are not rare."""
_PAIRS = 1_000
"""Pairs of a time and a job among these whose jobs are looked up."""
_MATCHING = {
    "": "true",
    "open": "granule.status_id < 3",
    "stuck": (
        "granule.status_id < 3 AND EXISTS (SELECT FROM orca.recovery_file AS still"
        " WHERE (still.job_id, still.collection_id, still.granule_id)"
        " = (granule.job_id, granule.collection_id, granule.granule_id)"
        " AND still.status_id < 3 AND still.last_update < now() - interval '1 day')"
    ),
    "not_copied": "granule.status_id < 4",
    "failed": "granule.status_id = 3",
    "copied": "granule.status_id = 4",
}
_BY_FAILED_FILES = frozenset({"not_copied", "failed"})
"""Statuses that no index of granules has."""
_WANTED = {
    "collection": "granule.collection_id = :collection",
    "bucket": "granule.archive_destination = :bucket",
}
STATUSES = (
    ("", "any"),
    ("not_copied", "not copied: open or failed"),
    ("open", "open: pending or staged"),
    ("stuck", "open, and not moved for a day"),
    ("failed", "failed"),
    ("copied", "success"),
)
COLLECTIONS = 200
"""Collections that the form offers."""
_NEAR = 10
"""Collections that are proposed if nothing matches."""
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 1, 1, tzinfo=UTC)


FILE_STATES = {
    1: State("pending", "open"),
    2: State("staged", "open"),
    3: State("failed", "bad"),
    4: State("success", "good"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A recovery with the numbers of its files."""

    job_id: str
    request_time: datetime
    granules: int
    granule: str | None
    """The first of them."""
    files: int
    pending: int
    staged: int
    failed: int
    success: int
    last_update: datetime | None
    first_copied: datetime | None
    last_copied: datetime | None
    first_failed: datetime | None
    last_failed: datetime | None
    recent: int
    """Files that were copied or failed within the last ten minutes."""
    cut: bool
    """Whether there are more files than were counted."""

    @property
    def state(self) -> State:
        """What its files say about the job."""
        if self.pending or self.staged:
            return State("open", "open")
        if self.failed:
            return State("partly failed" if self.success else "failed", "bad")
        return State("success", "good") if self.files else State("no files", "warn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The filters of the list, as the address has them."""

    q: str = ""
    status: str = ""
    collection: str = ""
    bucket: str = ""
    """The archive bucket."""
    since: str = ""
    until: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """The same for an address."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class JobsPage:
    """Some jobs, and where the next page begins."""

    jobs: Sequence[Job]
    next: str | None
    searched_back_to: datetime | None = None
    """Where the search stopped, if it did not fill the page."""


@router.get("/recoveries", response_class=HTMLResponse, include_in_schema=False)
async def recoveries(
    request: Request,
    context: Context,
    q: Annotated[str, Query(max_length=1_024)] = "",
    status: Annotated[str, Query(max_length=16)] = "",
    collection: Annotated[str, Query(max_length=1_024)] = "",
    bucket: Annotated[str, Query(max_length=255)] = "",
    since: Annotated[str, Query(max_length=32)] = "",
    until: Annotated[str, Query(max_length=32)] = "",
    after: Annotated[str, Query(max_length=8_000)] = "",
) -> HTMLResponse:
    """The page."""
    chosen = Chosen(
        q=q.strip(),
        status=status if status in _MATCHING else "",
        collection=collection.strip(),
        bucket=bucket.strip(),
        since=since,
        until=until,
    )
    problems: list[str] = []
    found = await context.reader.read(_read, chosen, after, problems)
    near = [] if found.jobs else await _near(context, chosen.collection)
    offered = await context.reader.rows(SQL["collections"].text, {"limit": COLLECTIONS})
    return page(
        request,
        "recoveries.html",
        jobs=found.jobs,
        next=found.next,
        back_to=found.searched_back_to,
        first=bool(after),
        total=await _total(context, found.jobs),
        collections=[row.collection_id for row in offered],
        near=near,
        chosen=chosen,
        parameters=chosen.parameters,
        filtered=chosen != Chosen(),
        statuses=STATUSES,
        problems=problems,
        address=link("/recoveries", chosen.parameters, after=after),
    )


async def _total(context: Context, shown: Sequence[Job]) -> str:
    (row,) = await context.reader.rows(SQL["estimate"].text)
    return total(row.rows or 0, sum(job.granules for job in shown))


def total(rows: int, shown: int) -> str:
    """About how many granules there are, by the statistics of Postgres; never fewer than are shown."""
    if rows <= 0:  # before the first ANALYZE
        return ""
    return f"{estimate(rows) if rounded(rows) >= shown else f'about {shown:,}'} granules in all"


async def _near(context: Context, collection: str) -> list[str]:
    """Other collections whose names begin with what was entered."""
    if not collection:
        return []
    names = await context.reader.read(near_collections, collection, limit=_NEAR + 1)
    return [name for name in names if name != collection][:_NEAR]


def _read(connection: Connection, chosen: Chosen, after: str, problems: list[str]) -> JobsPage:
    if chosen.q:
        return _found(connection, chosen.q, problems)
    since, until = _day(chosen.since, problems, _FIRST), _day(chosen.until, problems, _LAST, days=1)
    after_job = None
    if after:
        try:
            until, after_job = cursors.read(after, datetime, str)
        except cursors.CursorError as error:
            problems.append(str(error))
    source = _source(connection, chosen.status)
    scans = (*_SCANS, _FURTHER) if source is None and chosen.status in _BY_FAILED_FILES else _SCANS
    return _scanned(connection, partial(_page, connection, chosen, source, since, until, after_job), *scans)


def _source(connection: Connection, status: str) -> str | None:
    """What to read in place of the table, if no index of it has this status and few files failed."""
    if status not in _BY_FAILED_FILES:
        return None
    files: int = connection.execute(SQL["failed_files"], {"files": _FAILED_FILES}).scalar_one()
    return SQL["by_status"].text if files < _FAILED_FILES else None


def _scanned(connection: Connection, read: Callable[[int], Sequence[Any]], few: int, *more: int) -> JobsPage:
    """The page that so many entries of the index give, or more if these do not fill it."""
    rows = read(few)
    edge, jobs = rows[0], [row for row in rows if row.job_id is not None]
    shown = jobs[:ROWS]
    if len(jobs) > ROWS:
        return JobsPage(_counted(connection, shown), cursors.write(shown[-1].request_time, shown[-1].job_id))
    if edge.complete:
        return JobsPage(_counted(connection, shown), None)
    if more:
        return _scanned(connection, read, *more)
    # The entries that were read do not fill the page: the next one goes on behind them.
    if edge.last_time is None:
        return JobsPage(_counted(connection, shown), None)
    after = cursors.write(edge.last_time, edge.last_job)
    return JobsPage(_counted(connection, shown), after, edge.last_time)


def _page(
    connection: Connection,
    chosen: Chosen,
    source: str | None,
    since: datetime,
    until: datetime,
    after_job: str | None,
    scanned: int,
) -> Sequence[Any]:
    # The conditions are ours; as literals they let Postgres choose the partial indexes.
    filters = {name: value for name, value in asdict(chosen).items() if name in _WANTED and value}
    conditions = [_WANTED[name] for name in filters]
    matching = _MATCHING[chosen.status]
    if chosen.status in _BY_FAILED_FILES and source is None:
        # Asked of what was read: as a condition of the index by time it might read all of it.
        conditions, matching = [*conditions, matching], "true"
    statement = SQL["page"].text.replace("/* matching */ true", matching)
    statement = statement.replace("/* wanted */ true", " AND ".join(conditions) or "true")
    statement = statement.replace("/* source */ orca.recovery_job", source or "orca.recovery_job")
    values = {
        **filters,
        "since": since,
        "until": until,
        "after_job": after_job,
        "scanned": scanned,
        **({"files": _FAILED_FILES} if source else {}),
        # Only what is wanted is looked up: with a filter, all that was read may be looked through.
        "pairs": scanned if conditions else min(scanned, _PAIRS),
        "limit": ROWS + 1,
    }
    return connection.execute(text(statement), values).all()


def _found(connection: Connection, wanted: str, problems: list[str]) -> JobsPage:
    if "\x00" in wanted:
        return JobsPage([], None)
    rows = connection.execute(SQL["found"], {"text": wanted, "limit": ROWS + 1}).all()
    if len(rows) > ROWS:
        problems.append(
            f"More than {plural(ROWS, 'job')} match; these are the newest of those that were found."
        )
    return JobsPage(_counted(connection, rows[:ROWS]), None)


def _counted(connection: Connection, rows: Sequence[Any]) -> list[Job]:
    found = connection.execute(SQL["counts"], {"jobs": [row.job_id for row in rows], "most": MOST_FILES})
    counts = {row.job_id: row for row in found}
    return [job_of(row.request_time, counts[row.job_id], MOST_FILES) for row in rows]


def job_of(request_time: datetime, counts: Any, most: int) -> Job:
    """A job from a row of `counts`, of which at most so many files were counted."""
    fields = dict(counts._mapping)  # noqa: SLF001  SQLAlchemy's documented name
    return Job(request_time=request_time, cut=counts.files >= most, **fields)


def _day(day: str, problems: list[str], otherwise: datetime, days: int = 0) -> datetime:
    if not day:
        return otherwise
    try:
        return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC) + timedelta(days=days)
    except (ValueError, OverflowError):
        problems.append(f"{day!r} is not a day such as 2026-11-29; this filter is ignored.")
        return otherwise
