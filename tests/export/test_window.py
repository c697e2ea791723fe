"""The window of a run, and the transactions that a snapshot could see."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca_daemon.export.snapshot import EPOCH, Snapshot, full_number, pack, unpack
from orca_daemon.export.window import ClockBehindError, Last, Window, skipped, window

NOW = datetime(2026, 11, 21, tzinfo=UTC)
BEFORE = NOW - timedelta(days=1)
OVERLAP = timedelta(days=14)
SEEN = Snapshot(10, 20, cluster="c1").having_seen([12])


def test_the_first_run_takes_everything_up_to_now() -> None:
    assert window(NOW, None, overlap=OVERLAP) == Window(end=NOW)


def test_the_next_run_starts_at_the_end_of_the_last_and_includes_late_rows() -> None:
    chosen = window(NOW, Last("k", BEFORE, SEEN), overlap=OVERLAP)

    assert chosen == Window(
        end=NOW, start=BEFORE, late_from=BEFORE - OVERLAP, late_until=BEFORE, unseen_by=SEEN
    )


def test_a_file_of_another_program_only_sets_the_start() -> None:
    assert window(NOW, Last("k", BEFORE), overlap=OVERLAP) == Window(end=NOW, start=BEFORE)


def test_a_full_run_takes_all_rows_whatever_the_last_file_is() -> None:
    assert window(NOW, Last("k", BEFORE, SEEN), overlap=OVERLAP, full=True) == Window(end=NOW, whole=True)


def test_a_given_start_still_takes_late_rows_of_the_last_file() -> None:
    chosen = window(NOW, Last("k", BEFORE, SEEN), overlap=OVERLAP, since=BEFORE - timedelta(hours=1))

    assert chosen.start == chosen.late_until == BEFORE - timedelta(hours=1)


def test_a_given_start_after_the_last_file_is_reported_as_a_gap() -> None:
    assert skipped(Last("k", BEFORE), NOW)
    assert not skipped(Last("k", BEFORE), BEFORE)


def test_a_newest_file_from_the_future_stops_the_table() -> None:
    with pytest.raises(ClockBehindError, match="newest file is k"):
        window(NOW, Last("k", NOW), overlap=OVERLAP)


def test_a_snapshot_sees_ended_transactions_and_in_between_only_those_that_were_seen() -> None:
    assert [SEEN.could_see(number) for number in (9, 10, 12, 13, 20)] == [True, False, True, False, False]


def test_snapshots_of_two_servers_are_not_compared() -> None:
    assert not SEEN.comparable(Snapshot(1, 1, cluster="c2"))
    assert SEEN.comparable(Snapshot(1, 1, cluster=""))


@given(top=st.integers(3, 2**50), back=st.integers(0, EPOCH - 1))
def test_the_id_of_a_writer_is_restored_across_epochs(top: int, back: int) -> None:
    number = top - back
    if number >= 3 and number % EPOCH >= 3:
        assert full_number(number % EPOCH, top) == number


def test_frozen_rows_of_old_clusters_are_older_than_everything() -> None:
    assert full_number(2, 5 * EPOCH) == 2


@given(st.frozensets(st.integers(2**40, 2**40 + 99)))
def test_seen_transactions_survive_the_footer(numbers: frozenset[int]) -> None:
    snapshot = Snapshot(2**40, 2**40 + 100).having_seen(numbers)

    read = Snapshot(snapshot.xmin, snapshot.xmax, unpack(pack(snapshot.seen)))

    assert {number for number in range(2**40, 2**40 + 120) if read.could_see(number)} == numbers
