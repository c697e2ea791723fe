"""One comparison from beginning to end: lock, job, child, reports."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from orca_daemon.aws.clients import endpoint
from orca_daemon.db.database import Database
from orca_daemon.engine.errors import DependencyDown, Reject
from orca_daemon.reconcile import jobs, reports
from orca_daemon.reconcile.inventory import read
from orca_daemon.reconcile.jobs import Job, lock_of
from orca_daemon.reconcile.manifest import Manifest, ManifestError
from orca_daemon.reconcile.process import Child, ChildDied, start
from orca_daemon.reconcile.protocol import Compared, Counts, Event, Failed, Inventory, Locked, Staged, Task
from orca_daemon.reconcile.reports import Written
from orca_daemon.reconcile.workspace import workspace
from orca_daemon.settings import Settings
from orca_daemon.wire.inventory import InventoryPointer, StoredListing
from orca_daemon.wire.reconciliation import ReconcileStatus

E = TypeVar("E", bound=Event)


class NotDone(Exception):  # noqa: N818  what became of an attempt
    """The comparison failed, and another attempt may succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a comparison found."""

    job: int
    bucket: str
    counts: Counts | None = None
    """None where the reports were there already, and nothing was compared."""
    written: Written | None = None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What to compare, and as which job."""

    bucket: str
    created: datetime
    lock: int
    opened: Callable[[], Awaitable[Job]]
    inventory: Inventory | None = None
    stored_job: int | None = None


Hear = Callable[[Event], None]


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
        work = _Work(
            bucket=bucket,
            created=created,
            lock=lock_of(bucket, created.isoformat()),
            opened=lambda: self._database.transact(jobs.open_job, bucket, created, asked),
            inventory=self._files(manifest, pointer),
        )
        return await self._run(work, hear)

    async def stored(
        self, stored: StoredListing, *, asked: datetime | None = None, hear: Hear = lambda _: None
    ) -> Outcome:
        """The same for a listing that ORCA loaded into `reconcile_s3_object`."""
        job, bucket = stored.job_id, stored.orca_archive_location
        work = _Work(
            bucket=bucket,
            created=await self._database.transact(jobs.created_of, job, bucket),
            lock=lock_of(bucket, str(job)),
            opened=lambda: self._database.transact(jobs.open_stored, job, bucket, asked),
            stored_job=job,
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

    def _files(self, manifest: Manifest, pointer: InventoryPointer) -> Inventory:
        aws = self._settings.aws
        try:
            form = manifest.form
            return Inventory(
                bucket=pointer.report_bucket_name,
                region=pointer.report_bucket_region or aws.region,
                endpoint_url=endpoint(aws, "s3"),
                form=form,
                columns=manifest.columns if form == "CSV" else (),
                files=manifest.files,
            )
        except ManifestError as error:
            raise Reject(str(error)) from None

    async def _run(self, work: _Work, hear: Hear) -> Outcome:
        began = time.monotonic()
        with workspace(self._settings.reconcile.work_dir) as folder:
            async with start(await self._task(work, folder)) as child:
                await _until(child, Locked, hear)
                job = await work.opened()
                if job.done:
                    return Outcome(job=job.id, bucket=work.bucket, seconds=time.monotonic() - began)
                await child.tell()
                await _until(child, Staged, hear)
                await self._move(job, ReconcileStatus.STAGED)
                await self._move(job, ReconcileStatus.GENERATING_REPORTS)
                compared = await _until(child, Compared, hear)
                # The child holds the lock until these are committed.
                written = await self._database.stream(reports.write, job, compared.path)
        return Outcome(
            job=job.id,
            bucket=work.bucket,
            counts=compared.counts,
            written=written,
            seconds=time.monotonic() - began,
        )

    async def _task(self, work: _Work, folder: Path) -> Task:
        ours, database = self._settings.reconcile, self._settings.database
        window = timedelta(seconds=ours.race_window)
        return Task(
            bucket=work.bucket,
            lock=work.lock,
            inventory=work.inventory,
            stored_job=work.stored_job,
            recent_after=work.created - window if window else None,
            allow_empty=ours.allow_empty,
            work_dir=folder,
            memory_mib=ours.memory_mib,
            threads=ours.threads,
            address=asdict(await self._database.address()),
            connect_timeout=database.connect_timeout,
            application_name=database.application_name,
        )

    async def _move(self, job: Job, status: ReconcileStatus) -> None:
        await self._database.transact(jobs.move, job.id, status)


async def _until(child: Child, kind: type[E], hear: Hear) -> E:
    """Listen until it says this.  Raises as the child's failure asks for."""
    while True:
        try:
            event = await child.hear()
        except ChildDied as error:
            raise NotDone(str(error)) from None
        hear(event)
        if isinstance(event, kind):
            return event
        if isinstance(event, Failed):
            raise _failure(event)


def _failure(failed: Failed) -> Exception:
    match failed.kind:
        case "reject":
            return Reject(failed.reason)
        case "retry":
            return NotDone(failed.reason)
        case dependency:
            return DependencyDown(dependency, failed.reason)
