"""The records of decisions: each has its four parts, is in the index, and names what exists."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "decisions"
INDEX = FOLDER / "README.md"
RECORDS = sorted(path for path in FOLDER.glob("*.md") if path != INDEX)
PAGES = [*RECORDS, INDEX, ROOT / "SECURITY.md"]
PARTS = ["Context", "Decision", "Measured or tried", "Consequences"]

each_record = pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)


@each_record
def test_a_record_has_its_four_parts_in_order(record: Path) -> None:
    assert re.findall(r"^## (.+)$", record.read_text("utf-8"), re.MULTILINE) == PARTS


@each_record
def test_no_part_of_a_record_is_empty(record: Path) -> None:
    parts = re.split(r"^## .+$", record.read_text("utf-8"), flags=re.MULTILINE)[1:]
    assert [part for part in parts if not part.strip()] == []


def test_the_index_lists_every_record_under_its_title() -> None:
    rows = re.findall(r"^\| \[(\d{4})\]\((\S+\.md)\) \| (.+?) \|", INDEX.read_text("utf-8"), re.MULTILINE)
    titles = [(record.name, record.read_text("utf-8").partition("\n")[0]) for record in RECORDS]

    assert [(file, f"# {number}. {title}") for number, file, title in rows] == titles


def test_every_number_is_that_of_one_record() -> None:
    numbers = Counter(record.name.partition("-")[0] for record in RECORDS)
    assert {number: count for number, count in numbers.items() if count > 1 or not number.isdigit()} == {}


@each_page
def test_links_in_a_page_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@each_page
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = re.findall(r"`((?:deploy|requirements|docs|config)/[\w./-]+\w)`", page.read_text("utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


@each_page
def test_tests_that_a_page_names_exist(page: Path, defined: set[str]) -> None:
    named = set(re.findall(r"`((?:test|i\d+)_\w+)`", page.read_text("utf-8")))
    assert named - defined == set()


@each_page
def test_commands_that_a_page_names_exist(page: Path) -> None:
    named = set(re.findall(r"`\./dev ([a-z_]+)", page.read_text("utf-8")))
    known = set(re.findall(r"^([a-z]\w*)\(\) \{", (ROOT / "dev").read_text("utf-8"), re.MULTILINE))
    assert named - known == set()
