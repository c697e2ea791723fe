"""Real consoles for tests: processes on a real database and a real queue, asked over HTTP."""

import http.client
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from html import unescape
from http.cookies import SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import pytest

from orca_daemon.local.daemon import ConsoleProcess, Daemon
from orca_daemon.local.layout import QueueSpec, make_queue
from orca_daemon.local.moto import CREDENTIALS, REGION
from orca_daemon.local.ports import free_port
from tests.conftest import QueuePair, Server
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

ALICE, BOB = "alice's-token-of-30-characters", "bob's-token-with-30-characters"
ACTING = {
    "ORCA_CONSOLE__ACTIONS": "true",
    "ORCA_CONSOLE__TOKENS__ALICE": ALICE,
    "ORCA_CONSOLE__TOKENS__BOB": BOB,
}
PROXY = "127.0.0.5"
"""Source address that the guarded console trusts as a proxy; all of 127/8 reaches it."""


@dataclass(frozen=True)
class Answer:
    """An answer, with its body as text."""

    status: int
    headers: Mapping[str, str]
    text: str
    cookies: Mapping[str, str]

    @property
    def csrf(self) -> str:
        """The token of the first form."""
        return self.hidden("csrf_token")

    def hidden(self, name: str) -> str:
        """The value of a hidden field."""
        match = re.search(rf'name="{re.escape(name)}" value="([^"]*)"', self.text)
        assert match, f"no field {name} in {self.text}"
        return unescape(match[1])


@dataclass
class Browser:
    """A visitor with its cookies, from one address."""

    console: "Console"
    source: str = "127.0.0.1"
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        return self._ask(method, path, None, headers)

    def post(self, path: str, fields: Mapping[str, str] | bytes, **headers: str) -> Answer:
        body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
        headers.setdefault("Content_Type", "application/x-www-form-urlencoded")
        return self._ask("POST", path, body, headers)

    def log_in(self, token: str, next_path: str = "/") -> Answer:
        form = self.get("/login")
        return self.post("/login", {"csrf_token": form.csrf, "token": token, "next": next_path})

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.console.port, timeout=PATIENCE, source_address=(self.source, 0)
        )
        with closing(connection):
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            set_cookies = response.headers.get_all("Set-Cookie") or []
            answer = Answer(
                response.status,
                {name.lower(): value for name, value in response.headers.items()},
                response.read().decode("utf-8", "replace"),
                {name: text for text in set_cookies for name in SimpleCookie(text)},
            )
        for text in set_cookies:
            for name, morsel in SimpleCookie(text).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self.cookies[name]
        return answer


@dataclass
class Console:
    """A running console."""

    daemon: Daemon
    log: Path
    queue: QueuePair
    sqs: Any
    database_url: str

    @property
    def port(self) -> int:
        port = urlsplit(self.daemon.url).port
        assert port
        return port

    def browser(self, source: str = "127.0.0.1") -> Browser:
        return Browser(self, source)

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.read_text("utf-8").splitlines() if line[:1] == "{"]
        return [line for line in lines if line["event"] == name]


@contextmanager
def running(
    folder: Path, server: Server, endpoints: tuple[str, str], sqs: "SQSClient", environment: Mapping[str, str]
) -> Iterator[Console]:
    """A console with these further variables, whose one queue is `recovery`; it is not ready yet."""
    database_url, name = server.migrated(), f"q-{uuid4().hex}"
    queue = QueuePair(*make_queue(sqs, QueueSpec(name, f"{name}-dead", 120, 345_600)))
    log = folder / f"{name}.log"
    try:
        with started(log, endpoints, sqs, environment, database_url, queue) as console:
            yield console
    finally:
        server.drop(database_url)


@contextmanager
def started(
    log: Path,
    endpoints: tuple[str, str],
    sqs: "SQSClient",
    environment: Mapping[str, str],
    database_url: str,
    queue: QueuePair,
) -> Iterator[Console]:
    """A console on this database and queue; it must stop cleanly."""
    port = free_port()
    log.write_text("")
    variables = {
        "AWS_REGION": REGION,
        **CREDENTIALS,
        "ORCA_AWS__ENDPOINT_URL": endpoints[0],
        "ORCA_AWS__SQS_ENDPOINT_URL": endpoints[1],
        "ORCA_QUEUES__RECOVERY__URL": queue.url,
        "DATABASE_URL": database_url,
        "ORCA_CONSOLE__LISTEN": f"127.0.0.1:{port}",
        **{each: value.format(port=port) for each, value in environment.items()},
    }
    daemon = ConsoleProcess(variables, f"http://127.0.0.1:{port}", log)
    daemon.launch()
    try:
        yield Console(daemon, log, queue, sqs, database_url)
    finally:
        code = daemon.stop()
    assert code == 0, log.read_text()


@pytest.fixture(scope="package")
def consoles(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: Server,
    aws_endpoint: str,
    sqs_endpoint: str,
    sqs: "SQSClient",
) -> Iterator[tuple[Console, Console]]:
    """Two consoles that start at one time."""
    folder, endpoints = tmp_path_factory.mktemp("consoles"), (aws_endpoint, sqs_endpoint)
    guards = {
        **ACTING,
        "ORCA_CONSOLE__LISTEN": "0.0.0.0:{port}",
        "ORCA_CONSOLE__TRUSTED_PROXIES": PROXY,
        "ORCA_CONSOLE__ALLOWED_HOSTS": "console.example.org",
    }
    with (
        running(folder, postgres, endpoints, sqs, {}) as open_console,
        running(folder, postgres, endpoints, sqs, guards) as guarded_console,
    ):
        open_console.daemon.ready()
        guarded_console.daemon.ready()
        yield open_console, guarded_console


@pytest.fixture
def console(consoles: tuple[Console, Console]) -> Console:
    """A console with the default settings: loopback, no tokens, reading only."""
    return consoles[0]


@pytest.fixture
def guarded(consoles: tuple[Console, Console]) -> Console:
    """A console for all addresses, with tokens, a trusted proxy, and actions."""
    return consoles[1]


@pytest.fixture
def own(
    tmp_path: Path, postgres: Server, aws_endpoint: str, sqs_endpoint: str, sqs: "SQSClient"
) -> Iterator[Console]:
    """A console of the test's own, which it may stop."""
    with running(tmp_path, postgres, (aws_endpoint, sqs_endpoint), sqs, {}) as console:
        console.daemon.ready()
        yield console


@pytest.fixture
def restartable(
    tmp_path: Path,
    database_url: str,
    queues: Callable[..., QueuePair],
    aws_endpoint: str,
    sqs_endpoint: str,
    sqs: "SQSClient",
) -> Callable[[], AbstractContextManager[Console]]:
    """A function that starts a console, each time on the same database and queue."""
    queue = queues()

    @contextmanager
    def start() -> Iterator[Console]:
        endpoints = (aws_endpoint, sqs_endpoint)
        with started(tmp_path / "log", endpoints, sqs, ACTING, database_url, queue) as console:
            console.daemon.ready()
            yield console

    return start
