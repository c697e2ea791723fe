"""The pictures in README and docs; `./dev browser --documents` draws them again."""

from pathlib import Path

import pytest

from tests.browser.conftest import NewPage, log_in
from tests.browser.pages import every_page

_DOCUMENTS = Path(__file__).parents[2] / "docs" / "pictures"
_PICTURES = {
    "now": (1280, "light"),
    "recoveries": (1280, "dark"),
    "failures": (1280, "light"),
    "reconciliation": (1280, "light"),
    "recovery": (390, "dark"),
}
"""Page to width and colour scheme."""
_HEIGHTS = {1280: 800, 390: 844}


@pytest.mark.parametrize("name", list(_PICTURES))
def test_a_picture_of_the_documents_can_be_drawn(
    acting: str, new_page: NewPage, pytestconfig: pytest.Config, tmp_path: Path, name: str
) -> None:
    width, scheme = _PICTURES[name]
    page = new_page(width=width, height=_HEIGHTS[width], color_scheme=scheme)
    log_in(page, acting)
    page.goto(acting + every_page(page, acting)[name])
    page.locator("tbody tr").first.wait_for()
    folder = _DOCUMENTS if pytestconfig.getoption("--documents") else tmp_path
    page.screenshot(path=folder / f"console-{name}.png")
    assert (folder / f"console-{name}.png").stat().st_size > 0
