"""Settings, variables, commands and links in the documents exist."""

import re
from pathlib import Path

import pytest
import typer

from orca_daemon import settings
from orca_daemon.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_in_a_page_are_settings(page: Path, tmp_path: Path) -> None:
    for block in blocks(page, "toml"):
        file = tmp_path / "block.toml"
        file.write_text(block, "utf-8")
        settings.load(file, {}, need_queue=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_variables_in_a_page_are_settings(page: Path) -> None:
    names = set(re.findall(r"\bORCA_[A-Z]+__[A-Z_]+[A-Z]\b", page.read_text("utf-8")))
    unknown = {name for name in names if not _is_setting(name)}
    assert unknown == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_a_page_are_commands(page: Path) -> None:
    known = set(typer.main.get_group(app).commands)
    named = set(re.findall(r"(?:`|^ *)orca-daemon ([a-z]+)", page.read_text("utf-8"), re.MULTILINE))
    assert named - known == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_in_a_page_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def _is_setting(name: str) -> bool:
    section, _, key = name.removeprefix("ORCA_").lower().partition("__")
    if section == "queues":
        return key.rpartition("__")[2] in settings.QueueSection.model_fields
    field = settings.Settings.model_fields.get(section)
    return field is not None and key.partition("__")[0] in getattr(field.annotation, "model_fields", {})
