"""The operator's page: its tables match the code, and its links have targets."""

import re
import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_tables_are_up_to_date() -> None:
    text = (DOCS / "operate.md").read_text("utf-8")

    assert runpy.run_path(str(DOCS / "tables.py"))["filled"](text) == text, "./dev docs"


def test_every_setting_is_explained() -> None:
    rows = list(runpy.run_path(str(DOCS / "tables.py"))["settings_table"]())

    assert [row for row in rows if row.endswith("|  |")] == []


def test_links_within_the_page_lead_to_headings() -> None:
    text = (DOCS / "operate.md").read_text("utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}

    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors


def test_files_that_the_page_names_exist() -> None:
    text = (DOCS / "operate.md").read_text("utf-8")
    root = DOCS.parent

    named = set(re.findall(r"\b(?:deploy|requirements|docs)/[\w./-]+\w", text))
    assert [path for path in sorted(named) if not (root / path).exists()] == []
