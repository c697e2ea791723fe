"""Hostile texts run nothing, break nothing and hide nothing in a real browser."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from orca_daemon.local.state import Whereabouts
from tests.browser.conftest import NewPage, console
from tests.hostile import HOSTILE, plant


@pytest.fixture(scope="module")
def planted(stack: Whereabouts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """A console on a database of its own, with every hostile text in every field; and all its pages."""
    name = "hostile"
    with closing(psycopg2.connect(stack.database_url)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {name}")
    url = f"{stack.database_url.rpartition('/')[0]}/{name}"
    from orca_daemon.db.migrate import upgrade

    upgrade(url)
    paths = [path for text in HOSTILE.values() for path in plant(url, text)]
    folder: Path = tmp_path_factory.mktemp("hostile")
    with console(stack, folder, ORCA_DATABASE__URL=url) as address:
        yield address, list(dict.fromkeys(paths))


@pytest.mark.parametrize("width", [390, 1280])
def test_no_text_runs_as_a_program_or_widens_a_page(
    planted: tuple[str, list[str]], new_page: NewPage, width: int
) -> None:
    address, paths = planted
    page = new_page(width=width)
    # Each text on some pages, and each page with some texts; tests/console has all, without a browser.
    for path in paths[width % 7 :: 7]:
        page.goto(address + path)
        assert page.evaluate("window.pwned") is None, path
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        assert page.locator("a[href^='javascript:' i]").count() == 0, path
        assert page.locator("main script, main img, main iframe").count() == 0, path
