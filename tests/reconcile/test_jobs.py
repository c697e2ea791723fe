"""Jobs: one for each inventory, with a visible status, and never compared by two processes at one time."""

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orca_daemon.db.address import parse
from orca_daemon.engine.errors import DependencyDown, Reject
from orca_daemon.reconcile import jobs
from orca_daemon.reconcile.child import compared
from orca_daemon.reconcile.protocol import Compared, ComparisonFailure, Locked, Message, Staged, Waiting
from orca_daemon.reconcile.run import ComparisonFailedError, Reconciler
from orca_daemon.reconcile.task import Comparison, task
from orca_daemon.settings import Settings
from orca_daemon.wire.inventory import InventoryPointer, StoredListing
from tests.reconcile.archive import CREATED, Archive, Filed, Listed

GETTING_S3_LIST, STAGED, GENERATING_REPORTS, ERROR, SUCCESS = range(1, 6)


def statuses(archive: Archive) -> list[int]:
    return [status for (status,) in archive.rows("SELECT status_id FROM orca.reconcile_job ORDER BY id")]


async def test_the_status_of_a_job_is_visible_while_it_runs(archive: Archive, reconciler: Reconciler) -> None:
    statuses_at: dict[str, list[int]] = {}

    outcome = await reconciler.inventory(
        archive.inventory([Listed("a")]),
        on_message=lambda message: statuses_at.update({type(message).__name__: statuses(archive)}),
    )

    assert statuses_at["Locked"] == []
    assert statuses_at["Staged"] == [GETTING_S3_LIST]
    assert statuses_at["Compared"] == [GENERATING_REPORTS]
    assert archive.job(outcome.job) == (SUCCESS, True, None)


async def test_an_inventory_compared_again_is_the_same_job_with_new_reports(
    archive: Archive, reconciler: Reconciler
) -> None:
    pointer = archive.inventory([Listed("a"), Listed("b")])
    first = await reconciler.inventory(pointer)
    archive.catalog([Filed("a"), Filed("lost")])

    second = await reconciler.inventory(pointer)

    assert first.job == second.job
    assert statuses(archive) == [SUCCESS]
    assert archive.orphans(second.job) == {"b"}
    assert archive.phantoms(second.job) == {"lost"}


async def test_a_message_that_is_redelivered_after_its_report_compares_nothing(
    archive: Archive, reconciler: Reconciler
) -> None:
    pointer, sent = archive.inventory([Listed("a")]), datetime.now(UTC)
    first = await reconciler.inventory(pointer, sent=sent)

    again = await reconciler.inventory(pointer, sent=sent)
    later = await reconciler.inventory(pointer, sent=datetime.now(UTC) + timedelta(seconds=1))

    assert first.compared is not None
    assert (again.job, again.compared) == (first.job, None)
    assert later.compared is not None


async def test_two_replicas_with_one_inventory_take_turns(archive: Archive, reconciler: Reconciler) -> None:
    pointer, sent = archive.inventory([Listed("a")]), datetime.now(UTC)
    one: list[Message] = []
    two: list[Message] = []

    outcomes = await asyncio.gather(
        reconciler.inventory(pointer, sent=sent, on_message=one.append),
        reconciler.inventory(pointer, sent=sent, on_message=two.append),
    )

    assert sum(outcome.compared is not None for outcome in outcomes) == 1
    assert len({outcome.job for outcome in outcomes}) == 1
    assert sum(isinstance(message, Waiting) for message in one + two) <= 1
    assert statuses(archive) == [SUCCESS]


async def test_different_inventories_run_at_the_same_time(archive: Archive, reconciler: Reconciler) -> None:
    messages: list[Message] = []

    await asyncio.gather(
        reconciler.inventory(archive.inventory([Listed("a")]), on_message=messages.append),
        reconciler.inventory(
            archive.inventory([Listed("a")], created=CREATED + timedelta(days=1)), on_message=messages.append
        ),
    )

    assert not any(isinstance(message, Waiting) for message in messages)
    assert statuses(archive) == [SUCCESS, SUCCESS]


async def test_a_killed_child_is_an_error_that_another_attempt_may_mend(
    archive: Archive, reconciler: Reconciler
) -> None:
    pointer = archive.inventory([Listed("a")])

    with pytest.raises(
        ComparisonFailedError, match="was killed: the machine or the container is out of memory"
    ):
        await reconciler.inventory(pointer, on_message=Killer())

    assert statuses(archive) == [GENERATING_REPORTS]
    # The redelivered message uses the same job, whose lock is free.
    outcome = await reconciler.inventory(pointer)
    assert archive.job(outcome.job) == (SUCCESS, True, None)
    assert archive.orphans(outcome.job) == {"a"}


class Killer:
    """Kills the child as soon as it has the listing."""

    pid = 0

    def __call__(self, message: Message) -> None:
        if isinstance(message, Locked):
            self.pid = message.pid
        if isinstance(message, Staged):
            os.kill(self.pid, signal.SIGKILL)


async def test_cancelled_work_leaves_nothing_behind(
    archive: Archive, reconciler: Reconciler, settings: Settings
) -> None:
    pointer = archive.inventory([Listed("a")])
    children: list[int] = []

    def on_message(message: Message) -> None:
        if isinstance(message, Locked):
            children.append(message.pid)
        if isinstance(message, Compared):
            work.cancel()

    work = asyncio.create_task(reconciler.inventory(pointer, on_message=on_message))
    with pytest.raises(asyncio.CancelledError):
        await work

    with pytest.raises(ProcessLookupError):
        os.kill(children[0], 0)
    assert statuses(archive) == [GENERATING_REPORTS]
    assert archive.orphans(1) == set()
    work_dir = settings.reconcile.work_dir
    assert work_dir is not None
    assert list(work_dir.iterdir()) == []


async def test_a_comparison_that_takes_too_long_is_killed(
    archive: Archive, settings: Settings, reconciler: Reconciler
) -> None:
    options = settings.reconcile.model_copy(update={"deadline": 0.0})
    hasty = Reconciler(
        settings.model_copy(update={"reconcile": options}), reconciler._database, reconciler._s3
    )

    with pytest.raises(Reject, match=r"took longer than reconcile\.deadline"):
        await hasty.inventory(archive.inventory([Listed("a")]))

    assert archive.orphans(1) == set()


async def test_folders_of_a_killed_daemon_are_removed(
    archive: Archive, reconciler: Reconciler, settings: Settings
) -> None:
    work_dir = settings.reconcile.work_dir
    assert work_dir is not None
    left = work_dir / "orca-reconcile-left" / "spill"
    left.mkdir(parents=True)

    await reconciler.inventory(archive.inventory([Listed("a")]))

    assert list(work_dir.iterdir()) == []


async def test_a_refused_inventory_is_an_error_on_its_job(archive: Archive, reconciler: Reconciler) -> None:
    archive.catalog([Filed("a")])
    pointer = archive.inventory([])

    with pytest.raises(Reject) as refused:
        await reconciler.inventory(pointer)
    await reconciler.give_up(pointer, str(refused.value))

    status, ended, reason = archive.job(1)
    assert (status, ended) == (ERROR, True)
    assert "it lists no object, but the catalog has 1" in reason


async def test_a_failure_does_not_touch_a_job_that_succeeded(
    archive: Archive, reconciler: Reconciler
) -> None:
    outcome = await reconciler.inventory(archive.inventory([Listed("a")]))
    broken = archive.inventory([Listed("a", bucket="another")])

    with pytest.raises(Reject, match="rows of another bucket"):
        await reconciler.inventory(broken)
    await reconciler.give_up(broken, "refused")

    assert archive.job(outcome.job) == (SUCCESS, True, None)
    assert archive.orphans(outcome.job) == {"a"}


async def test_a_failed_job_that_is_compared_again_succeeds(archive: Archive, reconciler: Reconciler) -> None:
    pointer = archive.inventory([Listed("a")])
    await reconciler.give_up(pointer, "no luck")
    assert archive.job(1) == (ERROR, True, "no luck")

    await reconciler.inventory(pointer)

    assert archive.job(1) == (SUCCESS, True, None)


async def test_young_files_are_not_reported_as_phantoms(
    archive: Archive, settings: Settings, reconciler: Reconciler
) -> None:
    archive.catalog([Filed("young", ingested=CREATED - timedelta(hours=1)), Filed("old")])
    options = settings.reconcile.model_copy(update={"race_window": 86_400.0})
    patient = Reconciler(
        settings.model_copy(update={"reconcile": options}), reconciler._database, reconciler._s3
    )

    outcome = await patient.inventory(archive.inventory([Listed("x")]))

    assert archive.phantoms(outcome.job) == {"old"}
    assert outcome.compared is not None
    assert outcome.compared.recent == 1


@pytest.mark.parametrize("manifest", ["", "{}"])
async def test_without_a_manifest_there_is_no_job(
    archive: Archive, reconciler: Reconciler, manifest: str
) -> None:
    pointer = InventoryPointer(
        report_bucket_region="us-west-2", report_bucket_name=archive.reports, manifest_key="x/manifest.json"
    )
    if manifest:
        archive.s3.put_object(Bucket=archive.reports, Key="x/manifest.json", Body=manifest.encode())

    with pytest.raises(Reject, match="manifest"):
        await reconciler.inventory(pointer)
    await reconciler.give_up(pointer, "refused")

    assert statuses(archive) == []


@pytest.mark.parametrize("checksum", ["right", "wrong"])
async def test_the_checksum_of_the_manifest_is_honoured(
    archive: Archive, reconciler: Reconciler, checksum: str
) -> None:
    pointer = archive.inventory([Listed("a")])
    head = archive.s3.head_object(Bucket=archive.reports, Key=pointer.manifest_key)
    body = head["ETag"].strip('"') if checksum == "right" else "0" * 32
    archive.s3.put_object(
        Bucket=archive.reports,
        Key=pointer.manifest_key.replace(".json", ".checksum"),
        Body=f"{body}\n".encode(),
    )

    if checksum == "right":
        assert (await reconciler.inventory(pointer)).compared is not None
    else:
        with pytest.raises(Reject, match=r"manifest\.checksum"):
            await reconciler.inventory(pointer)


async def test_a_missing_data_file_is_named(archive: Archive, reconciler: Reconciler) -> None:
    pointer = archive.inventory([Listed("a")])
    for manifest in archive.s3.list_objects_v2(Bucket=archive.reports, Prefix="archive/inventory/data/")[
        "Contents"
    ]:
        archive.s3.delete_object(Bucket=archive.reports, Key=manifest["Key"])

    with pytest.raises(
        Reject, match=r"the data file archive/inventory/data/.* cannot be fetched: S3 answers 404"
    ):
        await reconciler.inventory(pointer)


async def test_without_s3_the_message_waits(settings: Settings, reconciler: Reconciler) -> None:
    from orca_daemon.aws.clients import connect

    nowhere = settings.aws.model_copy(update={"endpoint_url": "http://127.0.0.1:9"})
    pointer = InventoryPointer(
        report_bucket_region="us-west-2", report_bucket_name="b", manifest_key="manifest.json"
    )
    async with connect(settings.model_copy(update={"aws": nowhere})) as clients:
        lost = Reconciler(settings, reconciler._database, clients.s3)
        with pytest.raises(DependencyDown, match="s3 is down"):
            await lost.inventory(pointer)


async def test_a_listing_that_orca_stored_is_compared_in_the_same_way(
    archive: Archive, reconciler: Reconciler
) -> None:
    archive.catalog([Filed("a b"), Filed("gone")])
    archive.stored(
        1, [("a%20b", '"e"', 10, False), ("gone", '""', 0, True), ("new", '"n"', 3, False)], status=STAGED
    )

    outcome = await reconciler.stored(StoredListing(job_id=1, orca_archive_location="archive"))

    assert outcome.job == 1
    assert archive.phantoms(1) == {"gone"}
    assert archive.orphans(1) == {"new"}
    assert archive.mismatches(1) == {}
    assert archive.job(1) == (SUCCESS, True, None)


async def test_a_stored_listing_without_a_job_is_refused(archive: Archive, reconciler: Reconciler) -> None:
    archive.stored(1, [], status=STAGED)
    for job, bucket in ((2, "archive"), (1, "another")):
        with pytest.raises(Reject, match=f"there is no job {job} for the bucket {bucket}"):
            await reconciler.stored(StoredListing(job_id=job, orca_archive_location=bucket))


async def test_a_stored_listing_that_is_being_loaded_is_retried(
    archive: Archive, reconciler: Reconciler
) -> None:
    from orca_daemon.reconcile.jobs import NotStagedError

    archive.stored(1, [], status=GETTING_S3_LIST)

    with pytest.raises(NotStagedError):
        await reconciler.stored(StoredListing(job_id=1, orca_archive_location="archive"))


async def test_rows_of_a_stored_listing_that_are_not_committed_yet_are_waited_for(
    archive: Archive, reconciler: Reconciler
) -> None:
    archive.catalog([Filed("a")])
    archive.stored(1, [], status=STAGED)  # ORCA sets the status before it commits the rows

    with pytest.raises(jobs.NotStagedError, match="it has no rows yet"):
        await reconciler.stored(StoredListing(job_id=1, orca_archive_location="archive"))
    archive.execute("UPDATE orca.reconcile_job SET status_id = 5, end_time = now()")
    with pytest.raises(Reject, match="Postgres has no listing of job 1"):
        await reconciler.stored(StoredListing(job_id=1, orca_archive_location="archive"))


def test_rows_that_orca_removes_while_they_are_compared_are_not_an_empty_bucket(
    archive: Archive, settings: Settings, tmp_path: Path
) -> None:
    archive.catalog([Filed("a")])
    archive.stored(1, [], status=STAGED)
    allowing = settings.model_copy(
        update={"reconcile": settings.reconcile.model_copy(update={"allow_empty": True})}
    )
    comparison = Comparison(bucket="archive", created=CREATED, stored_job=1)
    url = settings.database.url
    assert url is not None
    work = task(allowing, parse(url.get_secret_value()), comparison, tmp_path, 1)

    result = compared(work, [], lambda _: None, lambda _index, _reason: "")

    assert isinstance(result, ComparisonFailure)
    assert result.reason.endswith("if the bucket is empty, compare the inventory by its manifest")


async def test_the_work_folder_is_readable_by_its_user_only(tmp_path: Path) -> None:
    from orca_daemon.reconcile.workspace import workspace

    async with workspace(tmp_path / "new") as folder:
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


async def test_the_time_of_a_job_is_read_while_another_process_writes_its_reports(
    archive: Archive, reconciler: Reconciler
) -> None:
    archive.stored(1, [("a", '"e"', 10, False)], status=STAGED)
    with archive.database.cursor() as cursor:
        cursor.execute("BEGIN; SELECT 1 FROM orca.reconcile_job WHERE id = 1 FOR UPDATE")
        created = await reconciler._database.transact(jobs.created_of, 1, "archive")
        cursor.execute("COMMIT")
    assert created == archive.rows("SELECT inventory_creation_time FROM orca.reconcile_job")[0][0]
