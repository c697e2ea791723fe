"""ORCA time, accepted and refused by section 1.3.1 of the contract."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from orca_daemon.wire import times

WHOLE = datetime(2026, 11, 21, 0, 13, 35, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T00:13:35.445716+00:00", WHOLE.replace(microsecond=445716)),
        ("2026-11-21T00:13:35+00:00", WHOLE),
        ("2026-11-21T00:13:35Z+00:00", WHOLE),
        ("2026-11-21T00:13:35.5Z+00:00", WHOLE.replace(microsecond=500000)),
        ("2026-11-21T00:13:35.4457164+00:00", WHOLE.replace(microsecond=445716)),
        ("2026-11-21T00:13:35.9999999+00:00", WHOLE + timedelta(seconds=1)),
    ],
)
def test_a_valid_time_is_read(text: str, expected: datetime) -> None:
    assert times.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T00:13:35Z",
        "2026-11-21T00:13:35",
        "2026-11-21T00:13:35+01:00",
        "2026-11-21T00:13:35-00:00",
        "2026-11-21 00:13:35+00:00",
        "2026-11-21T00:13:35.+00:00",
        "2026-11-21T00:13:35+00:00\n",
        "2026-11-21T00:13:35+00:00Z",
        "2026-02-30T00:13:35+00:00",
        "2026-13-01T00:13:35+00:00",
        "2026-00-01T00:13:35+00:00",
        "2026-11-00T00:13:35+00:00",
        "2026-11-32T00:13:35+00:00",
        "2026-11-21T24:00:00+00:00",
        "2026-11-21T24:00:01+00:00",
        "2026-11-21T00:60:00+00:00",
        "2026-11-21T00:13:60+00:00",
        "2026-11-21T00:13:60.5Z+00:00",
        "2026-11-21T00:13:35,5+00:00",
        "0000-01-01T00:00:00+00:00",
        "-0001-01-01T00:00:00+00:00",
        "12026-01-01T00:00:00+00:00",
        "9" * 5000 + "-01-01T00:00:00+00:00",
        "9999-12-31T23:59:59.9999999+00:00",
        "２０２６-11-21T00:13:35+00:00",  # noqa: RUF001  digits, but not ASCII ones
        "",
        "now",
    ],
)
def test_a_time_in_any_other_format_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is "):
        times.parse(text)


def test_a_time_is_written_as_orca_writes_it() -> None:
    elsewhere = WHOLE.astimezone(timezone(timedelta(hours=-5)))
    assert times.format_time(elsewhere) == "2026-11-21T00:13:35+00:00"
    assert times.format_time(WHOLE.replace(microsecond=7)) == "2026-11-21T00:13:35.000007+00:00"
