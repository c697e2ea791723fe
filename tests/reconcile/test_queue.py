"""The internal-report queue: every kind of body, and its effect."""

import json
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import structlog

from orca_daemon.db.database import Database
from orca_daemon.engine.errors import NotYet, Reject
from orca_daemon.engine.message import Delivery, Envelope
from orca_daemon.engine.route import Route
from orca_daemon.ops.metrics import Metrics
from orca_daemon.queues.internal_report import route
from orca_daemon.queues.internal_report.comparisons import ProgressLogger, instrumented, show_latest
from orca_daemon.queues.services import Services
from orca_daemon.reconcile.protocol import StageProgress, Waiting
from orca_daemon.reconcile.run import ComparisonOutcome
from orca_daemon.settings import Settings
from orca_daemon.wire.inventory import InventoryPointer
from tests.reconcile.archive import CREATED, Archive, Filed, Listed


@pytest.fixture
def work(services: Services) -> Route[Any]:
    return route(services)


def envelope(document: object) -> Envelope:
    return Envelope(id="m", receipt="r", body=json.dumps(document), group="general_group")


async def handle(work: Route[Any], document: object) -> None:
    message = envelope(document)
    await work.handle([Delivery(work.decode(message), message)])


def body(pointer: InventoryPointer) -> dict[str, object]:
    return pointer.model_dump(by_alias=True)


def event(pointer: InventoryPointer, key: str | None = None) -> dict[str, object]:
    s3_part = {"bucket": {"name": pointer.report_bucket_name}, "object": {"key": key or pointer.manifest_key}}
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "awsRegion": "us-west-2",
        "s3": s3_part,
    }
    return {"Records": [record]}


async def test_an_inventory_pointer_is_compared(archive: Archive, work: Route[Any]) -> None:
    await handle(work, body(archive.inventory([Listed("a")])))

    assert archive.job(1) == (5, True, None)


async def test_an_event_of_a_manifest_is_compared(archive: Archive, work: Route[Any]) -> None:
    await handle(work, event(archive.inventory([Listed("a")])))

    assert archive.job(1) == (5, True, None)


async def test_events_of_other_objects_and_test_events_compare_nothing(
    archive: Archive, work: Route[Any]
) -> None:
    await handle(work, event(archive.inventory([Listed("a")]), "archive/inventory/data/x.csv.gz"))
    await handle(work, {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"})

    assert archive.rows("SELECT 1 FROM orca.reconcile_job") == []


async def test_a_stored_listing_is_compared(archive: Archive, work: Route[Any]) -> None:
    archive.stored(1, [("a", '"e"', 10, False)], status=2)

    await handle(work, {"jobId": 1, "orcaArchiveLocation": "archive"})

    assert archive.job(1) == (5, True, None)


async def test_giving_up_writes_the_reason_to_the_job(archive: Archive, work: Route[Any]) -> None:
    archive.catalog([Filed("a")])
    pointer = archive.inventory([])
    with pytest.raises(Reject) as refused:
        await handle(work, body(pointer))

    assert work.gave_up is not None
    for message in (pointer, work.decode(envelope(event(pointer)))):
        await work.gave_up(message, envelope({}), str(refused.value))

    status, ended, reason = archive.job(1)
    assert (status, ended) == (4, True)
    assert reason.startswith("inventory refused: it lists no object")
    assert len(archive.rows("SELECT 1 FROM orca.reconcile_job")) == 1


async def test_giving_up_on_an_unreadable_manifest_creates_no_job(archive: Archive, work: Route[Any]) -> None:
    assert work.gave_up is not None
    await work.gave_up(None, envelope({}), "no JSON")


async def test_differences_and_the_last_success_are_metrics(
    archive: Archive, work: Route[Any], services: Services
) -> None:
    archive.catalog([Filed("lost"), Filed("changed")])

    await handle(work, body(archive.inventory([Listed("changed", "x"), Listed("new"), Listed("newer")])))

    (ended,) = archive.rows("SELECT extract(EPOCH FROM end_time)::float8 FROM orca.reconcile_job")[0]
    value = services.metrics.registry.get_sample_value
    differences = {
        kind: value("orca_daemon_reconcile_differences", {"bucket": "archive", "kind": kind})
        for kind in ("phantom", "orphan", "mismatch")
    }
    assert differences == {"phantom": 1, "orphan": 2, "mismatch": 1}
    assert value("orca_daemon_reconcile_last_success_timestamp_seconds", {"bucket": "archive"}) == ended
    assert value("orca_daemon_reconcile_rows_total", {"side": "listing"}) == 3
    assert value("orca_daemon_reconcile_rows_total", {"side": "catalog"}) == 2
    assert value("orca_daemon_reconcile_duration_seconds_count", {"outcome": "success"}) == 1


async def test_another_process_reads_the_latest_reports_from_the_database(
    archive: Archive, work: Route[Any], services: Services, settings: Settings
) -> None:
    await handle(work, body(archive.inventory([Listed("new")])))
    fresh = Metrics()

    with closing(Database(settings.database)) as database:
        other = Services(settings=settings, clients=services.clients, database=database, metrics=fresh)
        await show_latest(other, database)

    labels = {"bucket": "archive", "kind": "orphan"}
    assert fresh.registry.get_sample_value("orca_daemon_reconcile_differences", labels) == 1


async def test_old_jobs_are_removed_after_a_comparison(archive: Archive, work: Route[Any]) -> None:
    archive.stored(1, [], status=2)
    archive.execute("UPDATE orca.reconcile_job SET last_update = now() - interval '31 days'")
    archive.execute("SELECT setval('orca.reconcile_job_id_seq', 1)")

    await handle(work, body(archive.inventory([Listed("a")], created=CREATED + timedelta(days=1))))

    assert archive.rows("SELECT id FROM orca.reconcile_job") == [(2,)]


def test_progress_is_logged_twice_a_minute_at_most() -> None:
    now = 0.0
    logger = ProgressLogger(clock=lambda: now)

    with structlog.testing.capture_logs() as logs:
        logger(StageProgress(stage="catalog", done=1))
        now = 31.0
        logger(StageProgress(stage="catalog", done=2))
        logger(StageProgress(stage="catalog", done=3))
        logger(Waiting())

    assert [(entry["event"], entry.get("done")) for entry in logs] == [
        ("reconcile.progress", 2),
        ("reconcile.waiting", None),
    ]


@pytest.mark.parametrize("allowed", ["REPORTS", "REPORTS,arch*", "arch*", "other"])
async def test_only_buckets_that_the_settings_name_are_compared(
    archive: Archive, services: Services, settings: Settings, allowed: str
) -> None:
    patterns = allowed.replace("REPORTS", archive.reports)
    options = settings.reconcile.model_validate(settings.reconcile.model_dump() | {"sources": patterns})
    limited = settings.model_copy(update={"reconcile": options})
    work = route(replace(services, settings=limited))
    pointer = archive.inventory([Listed("a")])
    archive.stored(7, [("a", '"e"', 10, False)], status=2)

    if allowed == "REPORTS,arch*":
        await handle(work, body(pointer))
        assert archive.job(7) == (5, True, None)  # of the same inventory
        return
    refused = archive.reports if archive.reports not in patterns else "archive"
    with pytest.raises(Reject, match=f"nothing is compared from {refused}"):
        await handle(work, body(pointer))
    assert work.gave_up is not None
    await work.gave_up(pointer, envelope({}), "refused")
    assert archive.rows("SELECT 1 FROM orca.reconcile_job WHERE id <> 7") == []
    if allowed != "arch*":
        with pytest.raises(Reject, match="nothing is compared from archive"):
            await handle(work, {"jobId": 7, "orcaArchiveLocation": "archive"})


async def test_objects_that_could_not_be_compared_are_a_warning_and_a_metric(
    archive: Archive, work: Route[Any], services: Services
) -> None:
    with structlog.testing.capture_logs() as logs:
        await handle(work, body(archive.inventory([Listed("k" * 1025), Listed("k")])))

    (warning,) = [entry for entry in logs if entry["event"] == "reconcile.not_compared"]
    assert (warning["log_level"], warning["bucket"], warning["objects"]) == ("warning", "archive", 1)
    assert warning["examples"][0].endswith("its key has more than 1024 bytes")
    labels = {"bucket": "archive"}
    assert services.metrics.registry.get_sample_value("orca_daemon_reconcile_not_compared", labels) == 1


async def test_a_wait_is_logged_with_its_reason(services: Services) -> None:
    async def full(_: object) -> ComparisonOutcome:
        raise NotYet("the disk of /work is full: 3 MiB are free")

    with structlog.testing.capture_logs() as logs, pytest.raises(NotYet):
        await instrumented(services, "x", full)

    assert [(entry["event"], entry["reason"]) for entry in logs] == [
        ("reconcile.waits", "the disk of /work is full: 3 MiB are free")
    ]
