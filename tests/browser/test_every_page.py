"""Every page: accessible, narrow and wide, light and dark, small, without errors, and without JavaScript."""

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import AXE, NewPage, log_in
from tests.browser.pages import every_page

_LARGEST_PAGE = 200_000
_SCHEMES = ("light", "dark")
_WIDTHS = (390, 1280, 1920)
_LOOK = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_axe_finds_nothing_serious_on_any_page(acting: str, new_page: NewPage, scheme: str) -> None:
    page = new_page(bypass_csp=True, color_scheme=scheme)
    log_in(page, acting)
    found: list[str] = []
    for name, path in every_page(page, acting).items():
        for width in _WIDTHS[:2] if scheme == "light" else _WIDTHS[1:2]:
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(acting + path)
            page.add_script_tag(path=AXE)
            found += [f"{name} at {width}: {each}" for each in _violations(page)]
    assert found == []


def _violations(page: Any) -> list[str]:
    result = page.evaluate("options => axe.run(document, options)", _LOOK)
    return [
        f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:160]} ({len(each['nodes'])})"
        for each in result["violations"]
        if each["impact"] in {"serious", "critical", "moderate"}
    ]


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_no_page_is_wider_than_the_window(
    acting: str, new_page: NewPage, scheme: str, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    page = new_page(color_scheme=scheme)
    log_in(page, acting)
    pictures = pytestconfig.getoption("--pictures") or tmp_path
    for name, path in every_page(page, acting).items():
        for width in _WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(acting + path)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (name, width)
            page.screenshot(path=pictures / f"{name}-{width}-{scheme}.png", full_page=width == _WIDTHS[0])


def test_every_page_can_be_read_without_javascript(acting: str, showing: str, new_page: NewPage) -> None:
    paths = every_page(new_page(), showing)
    page = new_page(java_script_enabled=False)
    for name, path in paths.items():
        answer = page.goto(showing + path)
        assert answer is not None
        assert len(answer.body()) < _LARGEST_PAGE, name
        assert page.locator("h1").count() == 1, name
        assert page.locator("main").inner_text().strip(), name


def test_a_console_that_only_shows_has_no_buttons_and_says_how_to_get_them(
    showing: str, new_page: NewPage
) -> None:
    page = new_page()
    for name, path in every_page(page, showing).items():
        page.goto(showing + path)
        assert page.locator("form[action^='/act/']").count() == 0, name
        if name != "login":
            assert "console.actions = true" in page.locator("main").inner_text(), name


def test_every_list_is_the_same_for_a_colleague_with_its_address(showing: str, new_page: NewPage) -> None:
    page, colleague = new_page(), new_page()
    page.goto(f"{showing}/recoveries")
    page.select_option("select[name=status]", "failed")
    page.click("form[role=search] button")
    rows = page.locator("tbody th").all_inner_texts()
    colleague.goto(page.url)
    assert colleague.locator("tbody th").all_inner_texts() == rows
    assert "status=failed" in page.url


def test_paging_shows_every_recovery_once(showing: str, new_page: NewPage) -> None:
    page = new_page()
    page.goto(f"{showing}/recoveries")
    seen: list[str] = []
    while True:
        seen += [str(link.get_attribute("href")) for link in page.locator("tbody th a").all()]
        following = page.locator("a[rel=next]")
        if following.count() == 0:
            break
        page.goto(showing + str(following.get_attribute("href")))
    assert len(seen) == len(set(seen)) > 100
