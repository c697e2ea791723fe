"""A shop's database: every file, read by pyarrow and by DuckDB, has the rows of the database."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from tests.export import totesys
from tests.export.conftest import HOUR, T0, Exporter, Source, table
from tests.export.totesys import TABLES

ALL = [table(f"totes.{name}") for name in TABLES]


def _database(source: Source, name: str) -> list[tuple[Any, ...]]:
    return sorted(source.run(f"SELECT * FROM totes.{name}"), key=lambda row: row[0])


async def test_every_table_is_exported_row_by_row(source: Source, exporter: Exporter, tmp_path: Path) -> None:
    totesys.build(source, 50, T0 - HOUR)

    report = await exporter.run(T0, *ALL)

    for name in TABLES:
        expected = _database(source, name)
        key = report.keys[name]
        assert key == f"{name}/2026/11/01/120000000000.parquet"
        by_arrow = [tuple(row.values()) for row in exporter.read(key).to_pylist()]
        assert sorted(by_arrow, key=lambda row: row[0]) == expected
        (tmp_path / name).write_bytes(exporter.bytes(key))
        by_duckdb = duckdb.execute(f"SELECT * FROM read_parquet('{tmp_path / name}') ORDER BY 1").fetchall()
        assert by_duckdb == expected


async def test_run_after_run_the_files_together_hold_every_row_once(
    source: Source, exporter: Exporter, tmp_path: Path
) -> None:
    start = T0 - HOUR
    totesys.build(source, 30, start)
    for number in range(6):
        await exporter.run(start + number * HOUR / 6, *ALL)
    late = datetime(2026, 11, 1, 11, 1)  # noqa: DTZ001  the column has no time zone
    source.run(f"INSERT INTO totes.sales_order VALUES ({', '.join(['%s'] * 11)})", *totesys.order(99, late))
    await exporter.run(T0 + HOUR, *ALL)

    files = [key for key in exporter.listed() if key.startswith("sales_order/")]
    assert len(files) == 4
    for number, key in enumerate(files):
        (tmp_path / f"{number}.parquet").write_bytes(exporter.bytes(key))
    together = duckdb.execute(f"SELECT * FROM read_parquet('{tmp_path}/*.parquet') ORDER BY 1").fetchall()
    assert together == _database(source, "sales_order")


LATEST = """
SELECT * EXCLUDE filename FROM read_parquet('{folder}/**/*.parquet', filename = true, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY sales_order_id ORDER BY filename DESC) = 1
ORDER BY sales_order_id
"""
"""As docs/exports.md has it."""


async def test_an_order_that_changes_is_in_both_files_with_its_values_at_each_time(
    source: Source, exporter: Exporter, tmp_path: Path
) -> None:
    totesys.build(source, 1, T0 - HOUR)
    first = await exporter.run(T0, *ALL)
    changed = (T0 + HOUR / 2).astimezone(UTC).replace(tzinfo=None)
    source.run("UPDATE totes.sales_order SET paid = NOT paid, last_updated = %s", changed)

    second = await exporter.run(T0 + HOUR, *ALL)

    assert list(second.keys) == ["sales_order"]
    paid = [
        exporter.read(report.keys["sales_order"]).column("paid").to_pylist() for report in (first, second)
    ]
    assert paid == [[True], [False]]
    for report in (first, second):
        file = tmp_path / report.keys["sales_order"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(exporter.bytes(report.keys["sales_order"]))
    latest = duckdb.execute(LATEST.format(folder=tmp_path)).fetchall()
    assert latest == _database(source, "sales_order")
