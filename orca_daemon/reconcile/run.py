"""Runs one comparison from beginning to end: lock, job, child, reports."""

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

import structlog

from orca_daemon.aws.s3_places import S3, reading
from orca_daemon.db.database import Database
from orca_daemon.engine import places
from orca_daemon.engine.errors import NotYet, Refused, Reject
from orca_daemon.reconcile import jobs, reports
from orca_daemon.reconcile.inventory import read, signed
from orca_daemon.reconcile.jobs import ReconcileJob, lock_of
from orca_daemon.reconcile.manifest import DataFile, Format, Manifest, ManifestError
from orca_daemon.reconcile.process import (
    SPARK,
    ComparisonFailedError,
    Dialogue,
    OnMessage,
    WorkspaceFullError,
    start,
)
from orca_daemon.reconcile.protocol import Compared, Locked, Remote, SparkTask, Staged, Start, differences
from orca_daemon.reconcile.reports import Written
from orca_daemon.reconcile.stage import Stage
from orca_daemon.reconcile.task import Comparison, task
from orca_daemon.reconcile.workspace import workspace
from orca_daemon.settings import Settings
from orca_daemon.settings.buckets import matches
from orca_daemon.wire.inventory import InventoryPointer, StoredListing
from orca_daemon.wire.reconciliation import ReconcileStatus

__all__ = ["ComparisonFailedError", "ComparisonOutcome", "Reconciler"]
log: Any = structlog.get_logger()
_UNSIGNED = (1 << 64) - 1
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_WAITS_FOR_DISK = timedelta(hours=12)
"""Age of a message up to which a full disk costs it no attempts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonOutcome:
    """The result of a comparison."""

    job: int
    bucket: str
    compared: Compared | None = None
    """None if the reports existed already and nothing was compared."""
    written: Written | None = None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """A comparison, with functions that open its job and sign URLs of its data files."""

    comparison: Comparison
    lock: int
    sent: datetime | None
    open_job: Callable[[], Awaitable[ReconcileJob]]
    report_bucket: str = ""
    """The bucket of the data files."""
    files: tuple[DataFile, ...] = ()
    sign: Callable[[tuple[DataFile, ...]], Awaitable[list[Remote]]] | None = None

    async def signed(self) -> list[Remote]:
        """All data files, with URLs."""
        return await self.sign(self.files) if self.sign else []

    async def signed_again(self, index: int) -> str:
        """A new URL of one data file."""
        if self.sign is None:
            raise ComparisonFailedError("the comparison asks for a data file, but its listing has no files")
        (file,) = await self.sign((self.files[index],))
        return file.url


class Reconciler:
    """Runs comparisons.  Two comparisons of one job, in one process or in two, take turns."""

    def __init__(self, settings: Settings, database: Database, s3: Any) -> None:
        self._settings, self._database, self._s3 = settings, database, s3

    async def inventory(
        self,
        pointer: InventoryPointer,
        *,
        sent: datetime | None = None,
        on_message: OnMessage = lambda _: None,
    ) -> ComparisonOutcome:
        """Compare an inventory with the catalog and write its reports.

        Args:
            pointer: names its manifest.
            sent: when the request was sent.  If a comparison that began later has written reports, nothing is
                compared.  None compares in any case.
            on_message: called with each message of the child.

        Raises:
            Reject: the inventory cannot be compared; no retry can help.
            ComparisonFailedError: another attempt may succeed.
            NotYet: S3 throttles, or the disk is full.
            Refused: S3 denies to read.
            DependencyDown: Postgres or S3 cannot be reached.
        """
        self._check(pointer.report_bucket_name)
        manifest = await read(self._s3, pointer)
        bucket, created = manifest.bucket, manifest.created
        self._check(bucket)
        form, columns, files = _described(manifest)
        request = _Request(
            comparison=Comparison(bucket=bucket, created=created, form=form, columns=columns),
            lock=lock_of(bucket, created.isoformat()),
            sent=sent,
            open_job=lambda: self._database.transact(jobs.open_job, bucket, created, sent),
            report_bucket=pointer.report_bucket_name,
            files=files,
            sign=lambda chosen: signed(self._s3, pointer, chosen),
        )
        return await self._run(request, on_message)

    async def stored(
        self, stored: StoredListing, *, sent: datetime | None = None, on_message: OnMessage = lambda _: None
    ) -> ComparisonOutcome:
        """The same for a listing that ORCA loaded into `reconcile_s3_object`."""
        job, bucket = stored.job_id, stored.orca_archive_location
        self._check(bucket)
        created = await self._database.transact(jobs.created_of, job, bucket)
        request = _Request(
            comparison=Comparison(bucket=bucket, created=created, stored_job=job),
            lock=lock_of(bucket, str(job)),
            sent=sent,
            open_job=lambda: self._database.transact(jobs.open_stored, job, bucket, sent),
        )
        return await self._run(request, on_message)

    async def give_up(self, message: InventoryPointer | StoredListing, reason: str) -> None:
        """Mark the job as failed, unless it succeeded.  Without a manifest there is no job."""
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
        """Raise Reject if a request may not name this bucket."""
        patterns = self._settings.reconcile.sources
        if patterns is not None and not matches(bucket, patterns):
            raise Reject(f"nothing is compared from {bucket}: reconcile.sources does not name it")

    async def _run(self, request: _Request, on_message: OnMessage) -> ComparisonOutcome:
        began, bucket = time.monotonic(), request.comparison.bucket
        async with self._folder(request) as folder:
            settings, address = self._settings, await self._database.address()
            stage, spark = self._spark(request)
            child_task = task(settings, address, request.comparison, folder, request.lock, spark)
            async with start(child_task) as child:
                dialogue = Dialogue(
                    child, on_message, request.report_bucket, request.signed_again, stage, folder
                )
                await dialogue.until(Locked)
                job = await request.open_job()
                if job.done:
                    return ComparisonOutcome(job=job.id, bucket=bucket, seconds=time.monotonic() - began)
                async with _cleared(stage):
                    await child.send(Start(files=await request.signed()))
                    compared = await self._compared(dialogue, request, job)
                # Inside the context, because the child must hold the lock until the reports are committed.
                written = await self._database.stream(reports.write, job, differences(folder), compared)
        return ComparisonOutcome(
            job=job.id,
            bucket=bucket,
            compared=compared,
            written=written,
            seconds=time.monotonic() - began,
        )

    def _spark(self, request: _Request) -> tuple[Stage | None, SparkTask | None]:
        """The stage and Spark, if Spark is to compare; a listing in Postgres is too small for it."""
        options = self._settings.reconcile
        if options.engine != "spark" or request.comparison.stored_job is not None:
            return None, None
        remote, base = options.spark_remote, options.stage
        assert remote is not None  # noqa: S101  the settings are checked
        assert base is not None  # noqa: S101  the settings are checked
        # One folder for each job: its lock makes sure that nobody else uses it.
        stage = Stage(self._s3, f"{base.rstrip('/')}/orca-reconcile-{request.lock & _UNSIGNED:016x}")
        scheme = base.partition(":")[0]
        listing = "" if stage.is_directory else f"{scheme}://{request.report_bucket}"
        return stage, SparkTask(remote=remote.get_secret_value(), stage=stage.url, listing=listing)

    @asynccontextmanager
    async def _folder(self, request: _Request) -> AsyncIterator[Path]:
        """A working folder.  If the disk is full, here or in the child, raises what `_disk_full` returns."""
        async with AsyncExitStack() as stack:
            try:
                folder = await stack.enter_async_context(workspace(self._settings.reconcile.work_dir))
            except OSError as error:
                raise _without_folder(error, request.sent) from None
            try:
                yield folder
            except WorkspaceFullError as error:
                raise _disk_full(str(error), request.sent) from None

    async def _compared(self, dialogue: Dialogue, request: _Request, job: ReconcileJob) -> Compared:
        deadline = self._settings.reconcile.deadline
        try:
            async with asyncio.timeout(deadline):
                await dialogue.until(Staged)
                if request.files:
                    places.succeeded(S3, reading(request.report_bucket))
                await self._move(job, ReconcileStatus.STAGED)
                await self._move(job, ReconcileStatus.GENERATING_REPORTS)
                return await dialogue.until(Compared)
        except TimeoutError:
            raise Reject(f"the comparison took longer than reconcile.deadline, {deadline:g} s") from None

    async def _move(self, job: ReconcileJob, status: ReconcileStatus) -> None:
        await self._database.transact(jobs.move, job.id, status)


@asynccontextmanager
async def _cleared(stage: Stage | None) -> AsyncIterator[None]:
    """Empty the stage before, as a daemon that was killed may have left something, and afterwards."""
    if stage is None:
        yield
        return
    await stage.clear()
    try:
        yield
    finally:
        try:
            await stage.clear()
        except Exception as error:  # noqa: BLE001  the comparison's own result counts; the next run clears again
            log.warning("reconcile.stage_not_cleared", error=type(error).__name__)
    places.succeeded(SPARK, SPARK)


def _without_folder(error: OSError, sent: datetime | None) -> Exception:
    path = Path(error.filename or tempfile.gettempdir())
    reason = f"{path} (reconcile.work_dir): {error.strerror}"
    if error.errno not in _FULL:
        return ComparisonFailedError(reason)
    return _disk_full(f"{reason}, {shutil.disk_usage(path.parent).free >> 20:,} MiB are free", sent)


def _disk_full(reason: str, sent: datetime | None) -> Exception:
    """The exception for a full disk: NotYet for a young message, which then waits at no cost."""
    young = sent is not None and datetime.now(UTC) - sent < _WAITS_FOR_DISK
    return NotYet(reason) if young else ComparisonFailedError(reason)


def _described(manifest: Manifest) -> tuple[Format, tuple[str, ...], tuple[DataFile, ...]]:
    """Format, columns and data files of an inventory.  Raises Reject."""
    try:
        form, files = manifest.form, manifest.files
        columns = manifest.columns if form == "CSV" else ()
    except ManifestError as error:
        raise Reject(str(error)) from None
    return form, columns, files
