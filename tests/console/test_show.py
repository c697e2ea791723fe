"""How values look on the console's pages."""

from datetime import UTC, datetime, timedelta

import pytest

from orca_daemon.console import show

_NOW = datetime(2026, 11, 29, 10, 20, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.44, "0.4 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_660, "1 h 1 min"),
        (36_000, "10 h"),
        (90_000, "1 d 1 h"),
        (200_000, "2 d"),
        (400 * 86_400, "400 d"),
        (-5, "0 s"),
        (None, show.NONE),
    ],
    ids=str,
)
def test_a_duration_has_at_most_two_units(seconds: float | None, text: str) -> None:
    assert show.duration(seconds) == text


def test_a_time_has_its_zone_and_the_date_if_it_is_not_today() -> None:
    moments = [_NOW, _NOW - timedelta(days=1), _NOW - timedelta(days=300)]
    assert [show.absolute(moment, _NOW) for moment in moments] == [
        "10:20 UTC",
        "28 Nov 10:20 UTC",
        "2026-02-02 10:20 UTC",
    ]
    assert [show.ago(_NOW + timedelta(seconds=each), _NOW) for each in (-180, 0, 7_200)] == [
        "3 min ago",
        "now",
        "in 2 h",
    ]


def test_numbers_have_separators_units_and_no_false_precision() -> None:
    assert [show.number(1_234_567), show.number(None)] == ["1,234,567", show.NONE]
    assert [show.estimate(each) for each in (7, 499_708)] == ["about 7", "about 500,000"]
    assert [show.size(each) for each in (0, 1_023, 1_536, 5 * 1024**5)] == [
        "0 B",
        "1,023 B",
        "1.5 KiB",
        "5.0 PiB",
    ]
    assert [show.share(*each) for each in ((0, 0), (1, 1_000), (999, 1_000), (5, 5))] == [
        show.NONE,
        "<1 %",
        "99 %",
        "100 %",
    ]


def test_a_text_hides_no_character_and_is_escaped() -> None:
    assert show.visible("a\u202eb\x00\x1b\u200b\n") == "a⟨U+202E⟩b␀␛⟨U+200B⟩␊"
    assert str(show.value('<b a="1">')) == "<bdi>&lt;b a=&#34;1&#34;&gt;</bdi>"
    assert str(show.value("x" * 50, 10)) == f'<bdi title="{"x" * 50}">xxxx…xxxxx</bdi>'
    assert show.link("/a", {"q": "ä&b=", "status": "", "after": None}) == "/a?q=%C3%A4%26b%3D"
