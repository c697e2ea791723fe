"""Comparisons in Spark, on a real Spark Connect server (`./dev spark`): the reports are those of DuckDB."""

import os
import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench.reconcile.case import Case, cursor_of
from orca_daemon.aws.clients import connect
from orca_daemon.db.database import Database
from orca_daemon.engine.errors import DependencyDown, Reject
from orca_daemon.local.moto import CREDENTIALS, Moto
from orca_daemon.local.postgres import Postgres
from orca_daemon.reconcile.run import ComparisonOutcome, Reconciler
from orca_daemon.settings import Settings
from orca_daemon.wire.inventory import InventoryPointer
from tests.reconcile.archive import CREATED, Archive, Filed, Form, Listed

REMOTE = os.environ.get("ORCA_TEST_SPARK", "")
pytestmark = pytest.mark.outside
_REPORTS = (
    (
        "SELECT key_path, collection_id, granule_id, filename, orca_etag, orca_size, orca_storage_class_id "
        "FROM orca.reconcile_phantom_report WHERE job_id = %s ORDER BY 1"
    ),
    (
        "SELECT key_path, etag, last_update, size_in_bytes, storage_class "
        "FROM orca.reconcile_orphan_report WHERE job_id = %s ORDER BY 1"
    ),
    (
        "SELECT key_path, discrepancy_type, orca_etag, s3_etag, s3_last_update, orca_size_in_bytes, "
        "s3_size_in_bytes, orca_storage_class_id, s3_storage_class "
        "FROM orca.reconcile_catalog_mismatch_report WHERE job_id = %s ORDER BY 1"
    ),
)
_ALL = [statement.replace("WHERE job_id = %s ", "") for statement in _REPORTS]
CATALOG = [
    Filed("same"),
    Filed("a b"),
    Filed("ü/é+%"),
    Filed("other/etag", '"f"'),
    Filed("other/size", size=11),
    Filed("other/class", storage_class="DEEP_ARCHIVE"),
    Filed("several/parts", '"abc-12"'),
    Filed("lost"),
    Filed("young", ingested=CREATED),
    Filed("elsewhere", bucket="another"),
]
LISTING = [
    Listed("same"),
    Listed("a b"),
    Listed("ü/é+%"),
    Listed("other/etag"),
    Listed("other/size"),
    Listed("other/class"),
    Listed("several/parts", "abc-12"),
    Listed("unknown"),
    Listed("of unknown size", size=None),
    Listed("deleted").gone(),
    Listed("old", latest=False),
    Listed("x" * 1100),
]


def _with_spark(settings: Settings, stage: Path, remote: str = REMOTE, **others: Any) -> Settings:
    document = {"engine": "spark", "spark_remote": remote, "stage": stage.as_uri(), **others}
    changed = settings.model_dump() | {"reconcile": settings.reconcile.model_dump() | document}
    for name in ("database", "aws"):
        changed[name] = getattr(settings, name)
    return Settings.model_validate(changed)


async def _compare(settings: Settings, pointer: InventoryPointer) -> ComparisonOutcome:
    async with connect(settings) as clients:
        with closing(Database(settings.database)) as database:
            return await Reconciler(settings, database, clients.s3).inventory(pointer)


def _reports(archive: Archive, job: int) -> list[list[tuple[Any, ...]]]:
    return [archive.rows(statement, job) for statement in _REPORTS]


def _left(stage: Path) -> list[str]:
    return [path.name for path in stage.iterdir()]


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    folder = tmp_path / "stage"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("form", ["CSV", "Parquet", "ORC"])
async def test_the_reports_are_those_of_duckdb(
    archive: Archive, settings: Settings, stage: Path, form: Form
) -> None:
    archive.catalog(CATALOG)
    settings = settings.model_copy(
        update={"reconcile": settings.reconcile.model_copy(update={"race_window": 3600.0})}
    )
    pointer = archive.inventory(LISTING[::2], LISTING[1::2], form=form)

    by_duckdb = await _compare(settings, pointer)
    expected = _reports(archive, by_duckdb.job)
    by_spark = await _compare(_with_spark(settings, stage), pointer)

    assert _reports(archive, by_spark.job) == expected
    assert [len(rows) for rows in expected] == [1, 2, 3]
    first, second = by_duckdb.compared, by_spark.compared
    assert first is not None
    assert second is not None
    names = ("listed", "catalogued", "matched", "mismatched", "phantoms", "recent", "orphans", "not_compared")
    assert {name: getattr(second, name) for name in names} == {name: getattr(first, name) for name in names}
    assert _left(stage) == []


def test_the_reports_of_millions_are_those_of_duckdb(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    rows = int(os.environ.get("ORCA_TEST_SPARK_ROWS", "3_000_000"))
    spark = {"engine": "spark", "spark_remote": REMOTE, "stage": stage.as_uri()}
    with Postgres(fast=True) as postgres, Moto() as s3, Case(postgres, s3.url, rows) as case:
        for number, form in enumerate(("parquet", "csv"), 1):  # the reports of each form stay
            found = []
            for options in ({}, spark):
                run = case.best(form, 1, **options)
                engine = options.get("engine", "duckdb")
                sys.stdout.write(f"{form} {engine}: {run.seconds:.1f} s, {run.processor}\n")
                with cursor_of(case.url) as cursor:
                    reports = []
                    for statement in _ALL:
                        cursor.execute(statement)
                        reports.append(cursor.fetchall())
                found.append(reports)
            assert found[0] == found[1]
            assert [len(report) for report in found[0]] == [number * rows // 1000] * 3
    assert _left(stage) == []


async def test_a_listing_of_another_bucket_is_rejected_and_the_stage_is_empty(
    archive: Archive, settings: Settings, stage: Path
) -> None:
    archive.catalog([Filed("same")])
    pointer = archive.inventory([Listed("same"), Listed("b", bucket="another")])

    with pytest.raises(Reject, match="it holds rows of another bucket"):
        await _compare(_with_spark(settings, stage), pointer)

    assert _left(stage) == []


async def test_an_unreachable_spark_is_a_dependency_that_is_down(
    archive: Archive, settings: Settings, stage: Path
) -> None:
    archive.catalog([Filed("same")])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        remote = f"sc://127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(DependencyDown, match="spark is down"):
            await _compare(_with_spark(settings, stage, remote), archive.inventory([Listed("same")]))

    assert _left(stage) == []
