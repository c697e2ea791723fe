"""Rows that are the same in listing and catalog are set aside, and no others."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca_daemon.reconcile import set_aside
from orca_daemon.reconcile.copied_hashes import as_batch
from orca_daemon.reconcile.parts import Numbers
from orca_daemon.reconcile.set_aside import Catalogued, Table

ROOM = 1 << 16
NONE = np.empty(0, np.uint64)
Row = tuple[int, int]
"""Hashes of key and content."""
hashes = st.sampled_from([1, 2, 3, 2**63, 2**64 - 1]) | st.integers(1, 2**64 - 1)
rows = st.lists(st.tuples(hashes, hashes), unique_by=lambda row: row[0], max_size=20)


def catalog(rows: Iterable[Row]) -> Numbers:
    return np.array([(number, *row) for number, row in enumerate(rows)], np.uint64).reshape(-1, 3)


def listing(rows: Iterable[Row], odd: Iterable[str | None] = ()) -> pa.RecordBatch:
    batch = as_batch(catalog(rows)).select(["key_hash", "content_hash"])
    problems = [*odd, *[None] * batch.num_rows][: batch.num_rows]
    return batch.append_column("odd", pa.array(problems, pa.string()))


def pairs(batches: Iterable[pa.RecordBatch]) -> Counter[Row]:
    return Counter((row["key_hash"], row["content_hash"]) for batch in batches for row in batch.to_pylist())


@given(rows, st.lists(st.tuples(hashes, hashes), max_size=20), st.data())
def test_what_is_left_is_what_differs(known: list[Row], others: list[Row], data: st.DataObject) -> None:
    listed = [*others, *(data.draw(st.lists(st.sampled_from(known), max_size=20)) if known else ())]
    catalogued = Catalogued(ROOM)
    for place in range(0, len(known), 7):
        catalogued.add(catalog(known[place : place + 7]))
    assert catalogued.fits

    left = pairs(catalogued.others(listing(listed[place : place + 5]) for place in range(0, len(listed), 5)))
    rest = pairs(catalogued.rest(np.array([key for key, _ in left], np.uint64)))

    assert left == Counter(row for row in listed if row not in known)
    assert catalogued.same == len(listed) - left.total()
    keys = {key for key, _ in left}
    assert rest == Counter(row for row in known if row not in listed or row[0] in keys)


def test_hashes_that_begin_alike_are_told_apart() -> None:
    known = [(number, 0) for number in range(1, 301)]
    catalogued = Catalogued(ROOM)
    catalogued.add(catalog(known))

    left = pairs(catalogued.others([listing([*known[:100], *((number, 0) for number in range(301, 400))])]))

    assert left == Counter((number, 0) for number in range(301, 400))
    assert pairs(catalogued.rest(NONE)) == Counter(known[100:])


def test_an_odd_row_is_never_set_aside_and_brings_its_row_of_the_catalog() -> None:
    catalogued = Catalogued(ROOM)
    catalogued.add(catalog([(1, 1), (2, 2)]))

    left = pairs(catalogued.others([listing([(1, 1), (2, 2)], ["nul"])]))

    assert left == Counter([(1, 1)])
    assert pairs(catalogued.rest(np.array([1], np.uint64))) == Counter([(1, 1)])


def test_two_rows_of_the_catalog_with_the_same_hashes_are_an_error() -> None:
    catalogued = Catalogued(ROOM)
    catalogued.add(catalog([(1, 1), (1, 1)]))
    assert list(catalogued.others(iter([listing([(1, 1)])])))
    with pytest.raises(set_aside.CollidedError):
        catalogued.rest(NONE)


@pytest.mark.parametrize("memory", [0, 1, 1000])
def test_more_rows_than_there_is_room_for_are_kept_and_do_not_fit(memory: int) -> None:
    catalogued = Catalogued(memory)
    batches = [catalog((number * 100 + each, 0) for each in range(100)) for number in range(3)]
    for batch in batches:
        catalogued.add(batch)

    assert not catalogued.fits
    assert pairs(map(as_batch, catalogued.pop())) == pairs(map(as_batch, batches))


@given(st.sets(hashes, max_size=40), st.lists(hashes, max_size=40))
def test_a_table_finds_its_hashes_and_no_others(own: set[int], others: list[int]) -> None:
    asked = np.array([*own, *others], np.uint64)
    table = Table.of(np.array([*own], np.uint64))
    found, places = table.find(asked)
    assert found.tolist() == [hash_ in own for hash_ in asked.tolist()]
    assert (table.places[places[found]] == asked[found]).all()


def test_a_table_that_is_nearly_full_finds_its_hashes() -> None:
    own = np.arange(1, 16, dtype=np.uint64) << np.uint64(60)
    table = Table(4)
    table.add(own)
    assert table.find(own)[0].all()
    assert not table.find(own + np.uint64(1))[0].any()


def test_hashes_that_begin_alike_are_spread_over_the_table() -> None:
    """As the keys of a part do: side by side, each would be sought from the first one."""
    own = (np.uint64(0xABC) << np.uint64(52)) + np.random.default_rng(1).integers(
        1, 1 << 50, 1 << 14, np.uint64
    )
    table = Table(15)
    table.add(own)
    free = np.flatnonzero(table.places == 0)
    assert np.diff(free).max() < 100
