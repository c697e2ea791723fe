"""The keys of exported files."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca_daemon.export import files

times = st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  it takes no zone


def test_a_key_has_the_table_the_day_and_six_digits_of_microseconds() -> None:
    key = files.file_key("staff", datetime(2026, 11, 21, 3, 4, 5, 67, tzinfo=UTC))

    assert key == "staff/2026/11/21/030405000067.parquet"


def test_a_key_is_in_utc_whatever_the_time_zone_of_the_caller() -> None:
    east = timezone(timedelta(hours=9))

    assert files.file_key("t", datetime(2026, 1, 1, 1, tzinfo=east)) == "t/2025/12/31/160000000000.parquet"


@given(times)
def test_the_time_comes_back_from_the_key(time: datetime) -> None:
    assert files.time_of(files.file_key("a.b", time), "a.b") == time


@given(times, times)
def test_keys_sort_as_their_times_do(one: datetime, other: datetime) -> None:
    assert (files.file_key("t", one) < files.file_key("t", other)) == (one < other)


@pytest.mark.parametrize(
    "key",
    [
        "t/2026/13/01/000000000000.parquet",
        "t/2026/11/21/030405000067.csv",
        "t/old/2026/11/21/030405000067.parquet",
        "tt/2026/11/21/030405000067.parquet",
        "t/2026/11/21/030405.parquet",
        "t2026/11/21/030405000067.parquet",
    ],
)
def test_other_keys_have_no_time(key: str) -> None:
    assert files.time_of(key, "t") is None


@given(times)
def test_a_written_time_is_the_same_time(time: datetime) -> None:
    assert datetime.fromisoformat(files.write_time(time)) == time
