"""Whatever texts messages and keys hold, a page has the same elements, and CSV has no formulas."""

import csv
import io
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from tests.console.conftest import Console
from tests.hostile import HOSTILE, PLAIN, plant, unplant


@pytest.fixture(autouse=True)
def _others_find_nothing_planted(console: Console) -> Iterator[None]:
    yield
    unplant(console.database_url)


Elements = list[tuple[str, tuple[str, ...]]]
_LARGEST_PAGE = 200_000
_REORDERING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


class _Reader(HTMLParser):
    """Collects elements with the names of their attributes; titles come and go with texts."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: Elements = []
        self.shown = ""
        """What a reader sees: texts, and titles; not what a field repeats of the address."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = tuple(sorted(name for name, _ in attrs if name != "title"))
        self.elements.append((tag, names))
        self.shown += dict(attrs).get("title") or ""

    def handle_data(self, data: str) -> None:
        self.shown += data


def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    return reader


def _pages(console: Console, text: str) -> list[tuple[str, str]]:
    unplant(console.database_url)
    browser = console.browser()
    answers = [(path, browser.get(path)) for path in plant(console.database_url, text)]
    for path, answer in answers:
        assert answer.status in {200, 400, 404}, (path, answer.status)
    return [(path.partition("?")[0], answer.text) for path, answer in answers]


def test_hostile_texts_add_no_element_and_no_attribute(console: Console) -> None:
    known = {element for _, page in _pages(console, PLAIN) for element in _read(page).elements}
    for name, text in HOSTILE.items():
        for path, page in _pages(console, text):
            read = _read(page)
            assert set(read.elements) - known - _MAY_COME == set(), (name, path)
            assert not set(read.shown) & set(_REORDERING), (name, path)
            assert len(page.encode()) < _LARGEST_PAGE, (name, path)


_MAY_COME = {
    ("a", ("href",)),
    ("p", ("class",)),
    ("option", ("selected", "value")),
    ("bdi", ()),
    ("bdi", ("class",)),
}
"""Elements of ours that one text shows and another does not."""


def test_a_report_that_is_downloaded_has_no_formulas(console: Console) -> None:
    unplant(console.database_url)
    for text in ("=1+1", "+1", "-1", "@A1", "\t=1"):
        paths = plant(console.database_url, text)
        path = next(path for path in paths if "kind=phantom" in path).replace("/job?", "/report.csv?")
        answer = console.browser().get(path)
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
        assert row["key_path"] == f"'{text}"


_PARAMETERS = (
    "/recoveries?q=%00",
    "/recoveries?status=%00&since=%00&until=%00",
    "/recoveries?after=%00",
    "/recoveries?since=9999-12-31&until=9999-12-31",
    "/recoveries?after=WyIyMDI2LTAxLTAxIl0",
    "/recoveries?after=W10",
    "/recoveries/job?id=%00",
    "/recoveries/job?id=x&after=%F0%28",
    "/failures?since=%00&source=%00",
    "/dead-letters?q=%00&queue=%00&state=%00&after=%00",
    "/dead-letters/letter?id=%00&queue=%00",
    "/reconciliation?bucket=%00&after=AAAA",
    "/reconciliation/job?id=9223372036854775807",
    "/actions?who=%00&what=%00&after=%00",
    "/actions/action?id=%00",
    "/exports/table?name=%00",
    "/recoveries?q=%ED%A0%80",
    "/recoveries/job?id=%ED%A0%80&after=%ED%A0%80",
)


@pytest.mark.parametrize("path", _PARAMETERS, ids=[f"{number:02}" for number in range(len(_PARAMETERS))])
def test_no_parameter_breaks_a_page(console: Console, path: str) -> None:
    assert console.browser().get(path).status in {200, 400, 404}
