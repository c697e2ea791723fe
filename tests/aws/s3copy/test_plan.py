"""Into which parts a copy divides an object."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca_daemon.aws.s3copy.plan import (
    LARGEST_OBJECT,
    LARGEST_PART,
    MIB,
    MOST_PARTS,
    SMALLEST_PART,
    Plan,
    plan,
)
from orca_daemon.engine.errors import Reject

GIB = 1024 * MIB
TIB = 1024 * GIB


@pytest.mark.parametrize(
    ("size", "chunk", "threshold", "source_part", "part", "parts"),
    [
        (0, 250 * MIB, GIB, None, 0, 1),
        (1, 250 * MIB, GIB, None, 0, 1),
        (GIB, 250 * MIB, GIB, None, 0, 1),
        (GIB + 1, 250 * MIB, GIB, None, 250 * MIB, 5),
        (5 * GIB, 250 * MIB, 5 * GIB, None, 0, 1),
        (5 * GIB + 1, 250 * MIB, 9 * GIB, None, 250 * MIB, 21),
        (250 * GIB, 250 * MIB, GIB, None, 250 * MIB, 1024),
        (2 * TIB, 250 * MIB, GIB, None, 250 * MIB, 8389),
        (3 * TIB, 250 * MIB, GIB, None, 315 * MIB, 9987),
        (5 * TIB, 250 * MIB, GIB, None, 525 * MIB, 9987),
        (5 * TIB, 5 * GIB, GIB, None, 5 * GIB, 1024),
        (5 * TIB, 9 * GIB, GIB, None, 5 * GIB, 1024),
        (6 * TIB, 250 * MIB, GIB, None, 630 * MIB, 9987),
        (50_000 * GIB, 250 * MIB, GIB, None, 5 * GIB, 10_000),
        (8 * MIB, 1 * MIB, 5 * MIB, None, 5 * MIB, 2),
        (80 * MIB, 250 * MIB, GIB, 8 * MIB, 8 * MIB, 10),
        (3 * MIB, 250 * MIB, GIB, 3 * MIB, 3 * MIB, 1),
        (30 * MIB, 250 * MIB, GIB, 3 * MIB, 0, 1),
        (0, 250 * MIB, GIB, 8 * MIB, 0, 1),
        (90_000 * MIB, 250 * MIB, GIB, 8 * MIB, 250 * MIB, 360),
        (12 * GIB, 250 * MIB, GIB, 6 * GIB, 250 * MIB, 50),
    ],
)
def test_the_size_of_parts_for_sizes_chunks_and_thresholds(
    size: int, chunk: int, threshold: int, source_part: int | None, part: int, parts: int
) -> None:
    made = plan(size, chunk=chunk, threshold=threshold, source_part=source_part)
    assert made == Plan(size, part)
    assert made.parts == parts


def test_an_object_larger_than_s3_allows_is_rejected() -> None:
    with pytest.raises(Reject, match=r"\(48\.8 TiB\)"):
        plan(LARGEST_OBJECT + 1, chunk=250 * MIB, threshold=GIB)


@given(
    size=st.integers(5 * GIB + 1, LARGEST_OBJECT),
    chunk=st.integers(1, 6 * GIB),
    source_part=st.none() | st.integers(1, 6 * GIB),
)
def test_every_plan_is_within_the_limits_of_s3(size: int, chunk: int, source_part: int | None) -> None:
    made = plan(size, chunk=chunk, threshold=GIB, source_part=source_part)
    assert SMALLEST_PART <= made.part <= LARGEST_PART
    assert 1 <= made.parts <= MOST_PARTS


@given(size=st.integers(1, 400 * MIB), part=st.integers(5 * MIB, 40 * MIB))
def test_the_parts_cover_each_byte_exactly_once(size: int, part: int) -> None:
    ranges = list(Plan(size, part).ranges())
    assert [number for number, _, _ in ranges] == list(range(1, Plan(size, part).parts + 1))
    assert ranges[0][1] == 0
    assert ranges[-1][2] == size - 1
    assert all(after[1] == before[2] + 1 for before, after in itertools.pairwise(ranges))
