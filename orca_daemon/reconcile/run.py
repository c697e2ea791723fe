"""One comparison from beginning to end: lock, job, child, reports."""

import asyncio
import errno
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orca_daemon.aws.place_errors import S3, reading
from orca_daemon.db.database import Database
from orca_daemon.engine import places
from orca_daemon.engine.errors import NotYet, Refused, Reject
from orca_daemon.reconcile import jobs, reports
from orca_daemon.reconcile.dialogue import ComparisonFailedError, Dialogue, OnMessage, WorkspaceFullError
from orca_daemon.reconcile.inventory import read, signed
from orca_daemon.reconcile.jobs import ReconcileJob, lock_of
from orca_daemon.reconcile.manifest import DataFile, Manifest, ManifestError
from orca_daemon.reconcile.process import start
from orca_daemon.reconcile.protocol import Compared, Locked, Remote, Staged, Start, differences
from orca_daemon.reconcile.reports import Written
from orca_daemon.reconcile.task import Comparison, task
from orca_daemon.reconcile.workspace import workspace
from orca_daemon.settings import Settings
from orca_daemon.settings.buckets import matches
from orca_daemon.wire.inventory import InventoryPointer, StoredListing
from orca_daemon.wire.reconciliation import ReconcileStatus

__all__ = ["ComparisonFailedError", "ComparisonOutcome", "Reconciler"]
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_WAITS_FOR_ROOM = timedelta(hours=12)
"""Age of a request up to which a full disk is waited for, and charged to nobody; later it costs attempts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonOutcome:
    """What a comparison found."""

    job: int
    bucket: str
    compared: Compared | None = None
    """None where the reports were there already, and nothing was compared."""
    written: Written | None = None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """A comparison, how its job is opened, and how URLs of its data files are made."""

    what: Comparison
    lock: int
    asked: datetime | None
    opened: Callable[[], Awaitable[ReconcileJob]]
    reports: str = ""
    """The bucket of the data files."""
    files: tuple[DataFile, ...] = ()
    sign: Callable[[tuple[DataFile, ...]], Awaitable[list[Remote]]] | None = None

    async def signed(self) -> list[Remote]:
        """All data files."""
        return await self.sign(self.files) if self.sign else []

    async def signed_again(self, place: int) -> str:
        """A new URL of one of them."""
        if self.sign is None:
            raise ComparisonFailedError("the comparison asks for a file that there is not")
        (file,) = await self.sign((self.files[place],))
        return file.url


class Reconciler:
    """Compares.  Two of one job, in one process or in two, take turns."""

    def __init__(self, settings: Settings, database: Database, s3: Any) -> None:
        self._settings, self._database, self._s3 = settings, database, s3

    async def inventory(
        self,
        pointer: InventoryPointer,
        *,
        asked: datetime | None = None,
        on_message: OnMessage = lambda _: None,
    ) -> ComparisonOutcome:
        """Compare an inventory with the catalog and write its reports.

        Args:
            pointer: where its manifest is.
            asked: when this was asked for; reports of a comparison that began later will do.  None: never.
            on_message: called with each message of the child.

        Raises:
            Reject: the inventory cannot be compared; no retry can help.
            ComparisonFailedError: another attempt may succeed.
            NotYet: S3 asks to slow down, or the disk is full.
            Refused: S3 does not let us read.
            DependencyDown: Postgres or S3 cannot be reached.
        """
        self._check(pointer.report_bucket_name)
        manifest = await read(self._s3, pointer)
        bucket, created = manifest.bucket, manifest.created
        self._check(bucket)
        form, columns, files = _described(manifest)
        work = _Work(
            what=Comparison(bucket=bucket, created=created, form=form, columns=columns),
            lock=lock_of(bucket, created.isoformat()),
            asked=asked,
            opened=lambda: self._database.transact(jobs.open_job, bucket, created, asked),
            reports=pointer.report_bucket_name,
            files=files,
            sign=lambda chosen: signed(self._s3, pointer, chosen),
        )
        return await self._run(work, on_message)

    async def stored(
        self, stored: StoredListing, *, asked: datetime | None = None, on_message: OnMessage = lambda _: None
    ) -> ComparisonOutcome:
        """The same for a listing that ORCA loaded into `reconcile_s3_object`."""
        job, bucket = stored.job_id, stored.orca_archive_location
        self._check(bucket)
        created = await self._database.transact(jobs.created_of, job, bucket)
        work = _Work(
            what=Comparison(bucket=bucket, created=created, stored_job=job),
            lock=lock_of(bucket, str(job)),
            asked=asked,
            opened=lambda: self._database.transact(jobs.open_stored, job, bucket, asked),
        )
        return await self._run(work, on_message)

    async def give_up(self, message: InventoryPointer | StoredListing, reason: str) -> None:
        """Mark the job as failed, for this reason, unless it succeeded.  Without a manifest there is none."""
        if isinstance(message, StoredListing):
            await self._database.transact(
                jobs.fail_stored, message.job_id, message.orca_archive_location, reason
            )
            return
        try:
            self._check(message.report_bucket_name)
            manifest = await read(self._s3, message)
            self._check(manifest.bucket)
        except (Reject, Refused):
            return
        await self._database.transact(jobs.fail_inventory, manifest.bucket, manifest.created, reason)

    def _check(self, bucket: str) -> None:
        """Raise Reject for a bucket that a request may not name."""
        patterns = self._settings.reconcile.sources
        if patterns is not None and not matches(bucket, patterns):
            raise Reject(f"nothing is compared from {bucket}: reconcile.sources does not name it")

    async def _run(self, work: _Work, on_message: OnMessage) -> ComparisonOutcome:
        began = time.monotonic()
        async with self._folder(work) as folder:
            settings, address = self._settings, await self._database.address()
            async with start(task(settings, address, work.what, folder, work.lock)) as child:
                dialogue = Dialogue(child, on_message, work.reports, work.signed_again)
                await dialogue.until(Locked)
                job = await work.opened()
                if job.done:
                    return ComparisonOutcome(
                        job=job.id, bucket=work.what.bucket, seconds=time.monotonic() - began
                    )
                await child.send(Start(files=await work.signed()))
                compared = await self._compared(dialogue, work, job)
                # The child holds the lock until these are committed.
                written = await self._database.stream(reports.write, job, differences(folder), compared)
        return ComparisonOutcome(
            job=job.id,
            bucket=work.what.bucket,
            compared=compared,
            written=written,
            seconds=time.monotonic() - began,
        )

    @asynccontextmanager
    async def _folder(self, work: _Work) -> AsyncIterator[Path]:
        """A folder for the work; a disk that is full, here or in the child, is waited for."""
        async with AsyncExitStack() as stack:
            try:
                folder = await stack.enter_async_context(workspace(self._settings.reconcile.work_dir))
            except OSError as error:
                raise _without_folder(error, work.asked) from None
            try:
                yield folder
            except WorkspaceFullError as error:
                raise _patiently(str(error), work.asked) from None

    async def _compared(self, dialogue: Dialogue, work: _Work, job: ReconcileJob) -> Compared:
        deadline = self._settings.reconcile.deadline
        try:
            async with asyncio.timeout(deadline):
                await dialogue.until(Staged)
                if work.files:
                    places.succeeded(S3, reading(work.reports))
                await self._move(job, ReconcileStatus.STAGED)
                await self._move(job, ReconcileStatus.GENERATING_REPORTS)
                return await dialogue.until(Compared)
        except TimeoutError:
            raise Reject(f"the comparison took longer than reconcile.deadline, {deadline:g} s") from None

    async def _move(self, job: ReconcileJob, status: ReconcileStatus) -> None:
        await self._database.transact(jobs.move, job.id, status)


def _without_folder(error: OSError, asked: datetime | None) -> Exception:
    place = Path(error.filename or tempfile.gettempdir())
    reason = f"{place} (reconcile.work_dir): {error.strerror}"
    if error.errno not in _FULL:
        return ComparisonFailedError(reason)
    return _patiently(f"{reason}, {shutil.disk_usage(place.parent).free >> 20:,} MiB are free", asked)


def _patiently(reason: str, asked: datetime | None) -> Exception:
    """What comes of a full disk: for a message that is not too old, only waiting."""
    young = asked is not None and datetime.now(UTC) - asked < _WAITS_FOR_ROOM
    return NotYet(reason) if young else ComparisonFailedError(reason)


def _described(manifest: Manifest) -> tuple[str, tuple[str, ...], tuple[DataFile, ...]]:
    """Format, columns and files.  Raises Reject."""
    try:
        form, files = manifest.form, manifest.files
        columns = manifest.columns if form == "CSV" else ()
    except ManifestError as error:
        raise Reject(str(error)) from None
    return form, columns, files
