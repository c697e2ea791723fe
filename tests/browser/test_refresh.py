"""Pages refresh themselves, without taking away what one has in hand; and the keyboard is enough."""

from contextlib import closing

import psycopg2

from orca_daemon.local.state import Whereabouts
from tests.browser.conftest import NewPage, log_in

_HIDE = """() => {
    Object.defineProperty(document, "hidden", {value: true, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""
_SHOW = """() => {
    Object.defineProperty(document, "hidden", {value: false, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def _begin_action(stack: Whereabouts, who: str) -> None:
    with closing(psycopg2.connect(stack.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orca.orca_daemon_action (id, at, who, what, filter, wanted, done, seen_at)"
            " VALUES (gen_random_uuid(), now(), %s, 'pause', '{}', 1, 0, now())",
            (who,),
        )
        connection.commit()


def test_a_refresh_shows_what_is_new_and_keeps_focus_and_scroll(
    showing: str, stack: Whereabouts, new_page: NewPage
) -> None:
    page = new_page(height=400)
    page.goto(f"{showing}/actions")
    page.locator("tbody th a").nth(5).focus()
    page.evaluate("scrollTo(0, 180)")
    focused = page.evaluate("document.activeElement.href")
    _begin_action(stack, "somebody new")
    page.evaluate("htmx.trigger(document.getElementById('live'), 'refresh')")
    page.get_by_text("somebody new").first.wait_for()
    assert page.evaluate("scrollY") == 180
    assert page.evaluate("document.activeElement.tagName") == "A"
    assert focused


def test_a_tab_that_is_hidden_asks_for_nothing_and_catches_up(
    showing: str, stack: Whereabouts, new_page: NewPage
) -> None:
    page = new_page()
    page.goto(f"{showing}/actions")
    page.evaluate("document.getElementById('live').dataset.every = 1")
    page.evaluate(_HIDE)
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    _begin_action(stack, "behind the curtain")
    page.evaluate("new Promise(done => setTimeout(done, 1500))")
    assert asked == []
    page.evaluate(_SHOW)
    page.get_by_text("behind the curtain").first.wait_for()


def test_text_that_is_being_entered_stays(acting: str, new_page: NewPage) -> None:
    page = new_page()
    log_in(page, acting)
    page.goto(f"{acting}/dead-letters")
    page.focus("input[type=search]")
    page.keyboard.type("half a wo")
    page.evaluate("htmx.trigger(document.getElementById('live'), 'refresh')")
    page.wait_for_load_state("networkidle")
    assert page.input_value("input[type=search]") == "half a wo"
    assert page.evaluate("document.activeElement.type") == "search"


def test_the_keyboard_reaches_everything_and_shows_where_it_is(showing: str, new_page: NewPage) -> None:
    page = new_page()
    page.goto(f"{showing}/recoveries")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) != "none"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"
