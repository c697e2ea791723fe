"""Hashes on disk: every row is in one part, with all others of its key, and as it was."""

import errno
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca_daemon.reconcile import parts, places
from orca_daemon.reconcile.parts import Numbers, Parts, bits_for
from orca_daemon.reconcile.protocol import ComparisonFailure, FailureKind
from tests.reconcile.archive import Filed, Listed
from tests.reconcile.conftest import Bench
from tests.reconcile.ways import compared_by

numbers = st.integers(0, 2**64 - 1)
rows = st.lists(st.tuples(numbers, numbers | st.integers(0, 3), numbers), max_size=30)


def array(rows: Iterable[tuple[int, int, int]]) -> Numbers:
    return np.array(list(rows), np.uint64).reshape(-1, 3)


def listed(arrays: Iterable[Numbers]) -> list[tuple[int, ...]]:
    return [tuple(row) for array in arrays for row in array.tolist()]


@given(st.lists(rows, max_size=4), st.integers(0, 8))
def test_each_row_is_in_the_part_of_its_key(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[int, int, int]]], bits: int
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    written = Parts(folder, "rows", bits)
    for batch in batches:
        written.add(array(batch))
    written.close()

    found = [listed(written.read(index)) for index in range(len(written))]

    assert Counter(row for part in found for row in part) == Counter(
        row for batch in batches for row in batch
    )
    assert all(row[1] >> 64 - bits == index for index, part in enumerate(found) for row in part)
    assert list(folder.iterdir()) == []


def test_a_part_is_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_BLOCK", 2)
    written = Parts(tmp_path, "rows", 0)
    written.add(array((number, 0, 0) for number in range(5)))
    written.close()
    assert [len(block) for block in written.read(0)] == [2, 2, 1]


@pytest.mark.parametrize(
    ("rows", "most", "number"), [(100, 100, 4), (1000, 100, 32), (1, 0, 4), (10**9, 1, 256)]
)
def test_the_number_of_parts_leaves_room_in_each(rows: int, most: int, number: int) -> None:
    assert 1 << bits_for(rows, most) == number


@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_of_the_catalog_are_the_same_from_the_disk(tmp_path: Path, order: Literal["C", "F"]) -> None:
    rows = np.array([[7, 1, 2], [2**64 - 1, 2**64 - 1, 3], [9, 2**63, 4]], np.uint64, order=order)
    with closing(Parts(tmp_path, "catalog", 1)) as parts:
        parts.add(rows)

    assert [next(parts.read(index)).tolist() for index in range(2)] == [rows[:1].tolist(), rows[1:].tolist()]


def test_rows_of_the_listing_are_the_same_from_the_disk() -> None:
    columns = [[1, 2**64 - 1], [2, 3], [True, None], [0, 2**41]]
    batch = pa.RecordBatch.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, places.SCHEMA, strict=True)],
        schema=places.SCHEMA,
    )
    assert places.as_batch(places.as_numbers(batch)).to_pylist() == batch.to_pylist()


def test_a_full_disk_is_reported_as_such(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    bench.archive.catalog([Filed(f"granule/{number}") for number in range(4)])
    monkeypatch.setattr(Parts, "add", full)

    with compared_by("set aside in parts"):
        result = bench.compare([Listed("a")], form="Parquet")

    assert isinstance(result, ComparisonFailure)
    assert result.kind is FailureKind.DISK_FULL
    assert "(reconcile.work_dir) is full" in result.reason
