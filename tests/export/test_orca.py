"""The preset: ORCA's own tables with their change times."""

from collections.abc import Callable
from datetime import datetime

import pytest

from orca_daemon.export.table import NoChangeTimeError
from orca_daemon.export.tables import ORCA, ChangeTime, Relation, Table, allowed, choose
from orca_daemon.settings import ExportSection as ExportSettings
from orca_daemon.settings import load
from tests.export.conftest import HOUR, T0, Exporter, Source

TABLES = {table.name: table for table in ORCA}
LOOKUPS = [table for table in ORCA if not table.change_times]


@pytest.fixture
def empty_database(database_url: str) -> str:
    """The exporter's database, with ORCA's schema."""
    return database_url


@pytest.fixture
def job(source: Source) -> Callable[..., None]:
    """Adds a recovery of one granule, whose files changed at these times."""

    def add(granule: str, requested: datetime, *changed: datetime) -> None:
        source.run(
            "INSERT INTO orca.recovery_job (job_id, collection_id, granule_id, archive_destination,"
            " status_id, request_time) VALUES ('j', 'c', %s, 'a', 1, %s)",
            *(granule, requested),
        )
        for number, time in enumerate(changed):
            source.run(
                "INSERT INTO orca.recovery_file (job_id, collection_id, granule_id, filename, key_path,"
                " restore_destination, status_id, request_time, last_update)"
                " VALUES ('j', 'c', %s, %s, 'k', 'd', 1, %s, %s)",
                *(granule, f"{number}.h5", requested, time),
            )

    return add


async def test_every_table_of_the_preset_can_be_exported_whole(source: Source, exporter: Exporter) -> None:
    report = await exporter.run(T0, *ORCA, full=True)

    assert report.reasons == ""
    assert {outcome.table for outcome in report.outcomes} == set(TABLES)
    assert {"storage_class", "recovery_status", "reconcile_status"} <= report.keys.keys()


async def test_a_job_is_exported_with_any_of_its_files(
    source: Source, exporter: Exporter, job: Callable[..., None]
) -> None:
    jobs, files = TABLES["recovery_job"], TABLES["recovery_file"]
    job("both", T0 - 3 * HOUR, T0 - 2 * HOUR, T0 - HOUR)
    job("early", T0 - 3 * HOUR, T0 - 2 * HOUR)
    assert sorted(row["granule_id"] for row in await exporter.rows(T0, jobs)) == ["both", "early"]
    assert len(await exporter.rows(T0, files)) == 3

    source.run(
        "UPDATE orca.recovery_file SET last_update = %s WHERE granule_id = 'both' AND filename = '1.h5'", T0
    )
    assert [row["granule_id"] for row in await exporter.rows(T0 + HOUR, jobs)] == ["both"]
    assert [row["filename"] for row in await exporter.rows(T0 + HOUR, files)] == ["1.h5"]
    assert await exporter.rows(T0 + 2 * HOUR, jobs) == []


async def test_a_job_is_exported_when_an_update_of_one_of_its_files_came_late(
    source: Source, exporter: Exporter, job: Callable[..., None]
) -> None:
    jobs = TABLES["recovery_job"]
    job("g", T0 - 3 * HOUR, T0 - 2 * HOUR)
    await exporter.rows(T0, jobs)
    source.run("UPDATE orca.recovery_file SET last_update = %s", T0 - HOUR)
    assert [row["granule_id"] for row in await exporter.rows(T0 + HOUR, jobs)] == ["g"]


async def test_a_job_without_files_is_exported_by_its_request(
    source: Source, exporter: Exporter, job: Callable[..., None]
) -> None:
    jobs = TABLES["recovery_job"]
    job("bare", T0 - HOUR)
    assert [row["granule_id"] for row in await exporter.rows(T0, jobs)] == ["bare"]
    assert await exporter.rows(T0 + HOUR, jobs) == []


async def test_report_rows_are_exported_when_their_job_has_ended(source: Source, exporter: Exporter) -> None:
    orphans = TABLES["reconcile_orphan_report"]
    source.run(
        "INSERT INTO orca.reconcile_job (id, orca_archive_location, status_id, inventory_creation_time,"
        " start_time, last_update) VALUES (1, 'a', 3, %s, %s, %s)",
        *(T0 - 2 * HOUR,) * 3,
    )
    source.run(
        "INSERT INTO orca.reconcile_orphan_report (job_id, key_path, etag, last_update, size_in_bytes,"
        " storage_class) VALUES (1, 'k', 'e', %s, 5, 'GLACIER')",
        T0 - 100 * HOUR,
    )
    assert await exporter.rows(T0, orphans) == []
    source.run("UPDATE orca.reconcile_job SET end_time = %s, status_id = 5", T0)
    assert [row["key_path"] for row in await exporter.rows(T0 + HOUR, orphans)] == ["k"]
    assert await exporter.rows(T0 + 2 * HOUR, orphans) == []


@pytest.mark.parametrize("table", LOOKUPS, ids=lambda table: str(table.name))
async def test_lookup_tables_have_no_change_time(source: Source, exporter: Exporter, table: Table) -> None:
    (outcome,) = (await exporter.run(T0, table)).outcomes

    assert isinstance(outcome.error, NoChangeTimeError)


def test_only_what_the_settings_allow_is_chosen() -> None:
    settings = ExportSettings.model_validate({"tables": {"staff": {"table": "totes.staff"}}})

    chosen, refused = choose(["staff", "pg_authid", "files", "staff", "x"], allowed(settings))

    assert [str(table.relation) for table in chosen] == ["totes.staff", "orca.files"]
    assert "not to be exported: pg_authid, x; allowed by the settings: collections, files" in str(refused)


def test_tables_can_be_allowed_by_the_environment_whatever_their_names() -> None:
    reported = '{"Orders": {"table": "sales.Sales Order", "column": "changed"}, "staff": {}}'

    tables = allowed(load(environ={"ORCA_EXPORT__TABLES": reported}, need_queue=False).export)

    assert tables["Orders"] == Table("Orders", Relation("Sales Order", "sales"), (ChangeTime("changed"),))
    assert tables["staff"] == Table("staff", Relation("staff"), (ChangeTime("last_updated"),))


def test_the_preset_can_be_turned_off() -> None:
    assert allowed(ExportSettings(preset="none")) == {}
