"""The operators' pages: their tables match the code, and their links have targets."""

import re
import runpy
from pathlib import Path

import pytest

from bench.table import README, filled

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path.name for path in DOCS.glob("*.md"))


def test_the_tables_are_up_to_date() -> None:
    text = (DOCS / "operate.md").read_text("utf-8")

    assert runpy.run_path(str(DOCS / "tables.py"))["filled"](text) == text, "./dev docs"


def test_the_readme_has_the_figures_that_were_measured() -> None:
    text = README.read_text("utf-8")
    assert filled(text) == text, "./dev docs"


def test_every_setting_is_explained() -> None:
    rows = list(runpy.run_path(str(DOCS / "tables.py"))["settings_table"]())

    assert [row for row in rows if row.endswith("|  |")] == []


def anchors(page: str) -> set[str]:
    text = (DOCS / page).read_text("utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_within_the_page_lead_to_headings(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")

    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors(page)


@pytest.mark.parametrize("page", PAGES)
def test_links_to_a_heading_of_another_page_lead_there(page: str) -> None:
    links = re.findall(r"\]\((\w[\w-]*\.md)#([^)]+)\)", (DOCS / page).read_text("utf-8"))

    assert [link for link in links if link[1] not in anchors(link[0])] == []


def test_the_readme_lists_every_page_once_and_its_links_lead_to_headings() -> None:
    text = (DOCS.parent / "README.md").read_text("utf-8").partition("## Read on")[2].partition("\n## ")[0]
    links = re.findall(r"\]\(docs/([\w-]+\.md)(?:#([^)]+))?\)", text)

    assert sorted({page for page, _ in links}) == PAGES
    assert [link for link in links if link[1] and link[1] not in anchors(link[0])] == []
    assert sorted(page for page, anchor in links if not anchor) == PAGES


@pytest.mark.parametrize("page", ["operate.md", "deploy.md", "upgrade.md", "security.md", "tuning.md"])
def test_files_that_the_page_names_exist(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    root = DOCS.parent

    named = set(re.findall(r"(?<![\w/])(?:deploy|requirements|docs|config)/[\w./-]+\w", text))
    assert [path for path in sorted(named) if not (root / path).exists()] == []
