"""One comparison from beginning to end: lock, job, child, reports."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from orca_daemon.db.database import Database
from orca_daemon.db.failures import Meaning, meaning
from orca_daemon.engine.errors import DependencyDown, Reject
from orca_daemon.reconcile import jobs, reports
from orca_daemon.reconcile.inventory import read, signed
from orca_daemon.reconcile.jobs import Job, lock_of
from orca_daemon.reconcile.manifest import DataFile, Manifest, ManifestError
from orca_daemon.reconcile.process import Child, ChildDied, start
from orca_daemon.reconcile.protocol import (
    Compared,
    Failed,
    Go,
    Line,
    Locked,
    Remote,
    Staged,
    differences,
)
from orca_daemon.reconcile.reports import Written
from orca_daemon.reconcile.task import Comparison, task
from orca_daemon.reconcile.workspace import workspace
from orca_daemon.settings import Settings
from orca_daemon.wire.inventory import InventoryPointer, StoredListing
from orca_daemon.wire.reconciliation import ReconcileStatus

E = TypeVar("E", bound=Line)


class NotDone(Exception):  # noqa: N818  what became of an attempt
    """The comparison failed, and another attempt may succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a comparison found."""

    job: int
    bucket: str
    compared: Compared | None = None
    """None where the reports were there already, and nothing was compared."""
    written: Written | None = None
    seconds: float


async def _no_files() -> list[Remote]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """A comparison, and how its job is opened and its files are found."""

    what: Comparison
    lock: int
    opened: Callable[[], Awaitable[Job]]
    files: Callable[[], Awaitable[list[Remote]]] = _no_files


Hear = Callable[[Line], None]


class Reconciler:
    """Compares.  Two of one job, in one process or in two, take turns."""

    def __init__(self, settings: Settings, database: Database, s3: Any) -> None:
        self._settings, self._database, self._s3 = settings, database, s3

    async def inventory(
        self, pointer: InventoryPointer, *, asked: datetime | None = None, hear: Hear = lambda _: None
    ) -> Outcome:
        """Compare an inventory with the catalog and write its reports.

        Args:
            pointer: where its manifest is.
            asked: when this was asked for; reports of a comparison that began later will do.  None: never.
            hear: told what happens meanwhile.

        Raises:
            Reject: the inventory cannot be compared; no retry can help.
            NotDone: another attempt may succeed.
            DependencyDown: Postgres or S3 cannot be reached.
        """
        manifest = await read(self._s3, pointer)
        bucket, created = manifest.bucket, manifest.created
        form, columns, files = _described(manifest)
        work = _Work(
            what=Comparison(bucket=bucket, created=created, form=form, columns=columns),
            lock=lock_of(bucket, created.isoformat()),
            opened=lambda: self._database.transact(jobs.open_job, bucket, created, asked),
            files=lambda: signed(self._s3, pointer, files),
        )
        return await self._run(work, hear)

    async def stored(
        self, stored: StoredListing, *, asked: datetime | None = None, hear: Hear = lambda _: None
    ) -> Outcome:
        """The same for a listing that ORCA loaded into `reconcile_s3_object`."""
        job, bucket = stored.job_id, stored.orca_archive_location
        created = await self._database.transact(jobs.created_of, job, bucket)
        work = _Work(
            what=Comparison(bucket=bucket, created=created, stored_job=job),
            lock=lock_of(bucket, str(job)),
            opened=lambda: self._database.transact(jobs.open_stored, job, bucket, asked),
        )
        return await self._run(work, hear)

    async def give_up(self, message: InventoryPointer | StoredListing, reason: str) -> None:
        """Mark the job as failed, for this reason, unless it succeeded.  Without a manifest there is none."""
        if isinstance(message, StoredListing):
            await self._database.transact(
                jobs.fail_stored, message.job_id, message.orca_archive_location, reason
            )
            return
        try:
            manifest = await read(self._s3, message)
        except Reject:
            return
        await self._database.transact(jobs.fail_inventory, manifest.bucket, manifest.created, reason)

    async def _run(self, work: _Work, hear: Hear) -> Outcome:
        began = time.monotonic()
        with workspace(self._settings.reconcile.work_dir) as folder:
            settings, address = self._settings, await self._database.address()
            async with start(task(settings, address, work.what, folder, work.lock)) as child:
                await _until(child, Locked, hear)
                job = await work.opened()
                if job.done:
                    return Outcome(job=job.id, bucket=work.what.bucket, seconds=time.monotonic() - began)
                await child.tell(Go(files=await work.files()))
                compared = await self._compared(child, job, hear)
                # The child holds the lock until these are committed.
                written = await self._database.stream(reports.write, job, differences(folder))
        return Outcome(
            job=job.id,
            bucket=work.what.bucket,
            compared=compared,
            written=written,
            seconds=time.monotonic() - began,
        )

    async def _compared(self, child: Child, job: Job, hear: Hear) -> Compared:
        deadline = self._settings.reconcile.deadline
        try:
            async with asyncio.timeout(deadline):
                await _until(child, Staged, hear)
                await self._move(job, ReconcileStatus.STAGED)
                await self._move(job, ReconcileStatus.GENERATING_REPORTS)
                return await _until(child, Compared, hear)
        except TimeoutError:
            raise Reject(f"the comparison took longer than reconcile.deadline, {deadline:g} s") from None

    async def _move(self, job: Job, status: ReconcileStatus) -> None:
        await self._database.transact(jobs.move, job.id, status)


def _described(manifest: Manifest) -> tuple[str, tuple[str, ...], tuple[DataFile, ...]]:
    """Format, columns and files.  Raises Reject."""
    try:
        form, files = manifest.form, manifest.files
        columns = manifest.columns if form == "CSV" else ()
    except ManifestError as error:
        raise Reject(str(error)) from None
    return form, columns, files


async def _until(child: Child, kind: type[E], hear: Hear) -> E:
    """Listen until it says this.  Raises as the child's failure asks for."""
    while True:
        try:
            line = await child.hear()
        except ChildDied as error:
            raise NotDone(str(error)) from None
        hear(line)
        if isinstance(line, kind):
            return line
        if isinstance(line, Failed):
            raise _failure(line)


def _failure(failed: Failed) -> Exception:
    match failed.kind:
        case "reject":
            return Reject(failed.reason)
        case "s3":
            return DependencyDown("s3", failed.reason)
        case "sql" if meaning(failed.sqlstate) is Meaning.DOWN:
            return DependencyDown("postgres", failed.reason)
        case "sql":
            return NotDone(f"{failed.reason} (SQLSTATE {failed.sqlstate})")
        case _:
            return NotDone(failed.reason)
