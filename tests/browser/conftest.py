"""A real Chromium, a real stack with the demo's workload on it, and consoles that act or only show."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.console.generate import fill
from orca_daemon.local.daemon import Daemon
from orca_daemon.local.demo import play
from orca_daemon.local.ports import free_port
from orca_daemon.local.stack import Stack
from orca_daemon.local.state import Whereabouts
from tests.memory import directory

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TOKEN = "token-of-ana-with-30-characters"
WHO = "ana"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SMALL = 0.0005
"""Of the sizes of `bench.console`; the demo's own rows come on top."""
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
NewPage = Callable[..., "Page"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test here: `./dev browser` brings the browser, and runs them."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("outside")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--pictures DIRECTORY` keeps the pictures of all pages, `--documents` those of the documents."""
    parser.addoption("--documents", action="store_true", help="draw the pictures in docs/ again")
    parser.addoption(
        "--pictures", type=Path, default=None, help="directory for pictures of the console's pages"
    )


class ConsoleProcess(Daemon):
    """`orca-daemon console`."""

    program = ("-m", "orca_daemon", "console")


@pytest.fixture(scope="session")
def stack(bare_environment: None) -> Iterator[Whereabouts]:
    """The embedded stack with a daemon, after the demo."""
    with directory() as folder, Stack(folder / "state") as running:
        whereabouts = _started(running)
        play(whereabouts, lambda: not running.ended(), lambda _step: None)
        fill(whereabouts.database_url, SMALL)
        yield whereabouts


def _started(running: Stack) -> Whereabouts:
    from orca_daemon.local.state import running as at

    return at(running.state.path)


@contextmanager
def console(whereabouts: Whereabouts, folder: Path, **settings: str) -> Iterator[str]:
    """A console of the stack with these further variables; yields its address."""
    url = f"http://127.0.0.1:{free_port()}"
    environment = whereabouts.environment | {"ORCA_CONSOLE__LISTEN": url.removeprefix("http://")} | settings
    process = ConsoleProcess(environment, url, folder / "console.log")
    (folder / "console.log").touch()
    process.launch()
    try:
        process.ready()
        yield url
    finally:
        process.stop()


@pytest.fixture(scope="session")
def acting(stack: Whereabouts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a console on which `ana` may act."""
    settings = {"ORCA_CONSOLE__ACTIONS": "true", f"ORCA_CONSOLE__TOKENS__{WHO.upper()}": TOKEN}
    with console(stack, tmp_path_factory.mktemp("acting"), **settings) as url:
        yield url


@pytest.fixture(scope="session")
def showing(stack: Whereabouts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a console as it is by default: it only shows."""
    with console(stack, tmp_path_factory.mktemp("showing")) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """Debian's Chromium, or the one that ORCA_CHROMIUM names."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("ORCA_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "no Chromium: apt-get install chromium, or set ORCA_CHROMIUM"
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=list(FLAGS))


@pytest.fixture
def new_page(browser: "Browser") -> Iterator[NewPage]:
    """A function that opens a page in a context of its own; what goes wrong in it fails the test."""
    wrong: list[str] = []

    def note_failures(page: "Page") -> None:
        page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
        page.on("console", lambda line: wrong.append(f"{page.url}: {line.text}") if _is_wrong(line) else None)
        page.on("dialog", lambda dialog: wrong.append(f"{page.url}: a dialog: {dialog.message}"))
        page.on("request", lambda sent: _check_own(sent.url, wrong))

    with ExitStack() as contexts:

        def open_page(width: int = 1280, height: int = 900, **options: Any) -> "Page":
            context = browser.new_context(viewport={"width": width, "height": height}, **options)
            contexts.callback(context.close)
            context.set_default_timeout(30_000)
            page = context.new_page()
            note_failures(page)
            return page

        yield open_page
    assert wrong == []


def _is_wrong(line: Any) -> bool:
    # That an address names no page, or has a wrong value, is what some tests are about.
    return line.type == "error" and not re.search("status of 40[04]", line.text)


def _check_own(url: str, wrong: list[str]) -> None:
    if not url.startswith(("http://127.0.0.1:", "data:", "about:")):
        wrong.append(f"a page asks another host: {url}")


def log_in(page: "Page", url: str) -> None:
    """Log in as `ana`."""
    page.goto(f"{url}/login")
    page.fill("#token", TOKEN)
    page.click("main button")
    page.wait_for_url(f"{url}/")
