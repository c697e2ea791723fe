"""A console that serves ORCA's read API in a thread of this process, and a client of it."""

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from orca_daemon.console import life
from orca_daemon.console.app import create_app
from orca_daemon.console.server import serving
from orca_daemon.local.moto import REGION
from orca_daemon.settings import Settings

HELLO_SECONDS = 30.0
JOBS = "/orca_api/orca/datamanagement/reconciliation/internal/jobs"
NOW = 1_800_000_000_000
"""A time after all that tests create, in milliseconds."""
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, content type and body of an answer; the body is JSON, whatever the status."""

    status: int
    content_type: str
    body: Any


@dataclass(frozen=True, slots=True)
class Api:
    """A running server."""

    url: str

    def post(self, path: str, body: object, headers: Mapping[str, str] = JSON) -> Answer:
        """Send a body, as JSON unless it is bytes, and read the answer."""
        connection = self.connect()
        try:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            connection.request("POST", path, content, dict(headers))
            response = connection.getresponse()
            text = response.read()
            return Answer(response.status, response.headers["Content-Type"], json.loads(text))
        finally:
            connection.close()

    def connect(self) -> http.client.HTTPConnection:
        """A connection of its own."""
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=HELLO_SECONDS)

    def catalog(self, page: int = 0, **filters: object) -> Any:
        """A page of the catalog; the status must be 200."""
        asked = {"pageIndex": page, "endTimestamp": NOW, **filters}
        answer = self.post("/orca_api/catalog/reconcile", asked)
        assert answer.status == 200, answer
        return answer.body


@contextmanager
def served(database_url: str, **console: object) -> Iterator[Api]:
    """Serve the API of this database until the context ends; `console` are settings."""
    settings = Settings.model_validate(
        {
            "aws": {"region": REGION},
            "database": {"url": database_url, "connect_timeout": 2, "pool_timeout": 2},
            "console": {"listen": "127.0.0.1:0", "orca_api": "open", **console},
        }
    )
    started: list[str] = []
    is_up, loop, stopping = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with (
            life._context(settings) as context,
            serving(create_app(context), "127.0.0.1", 0) as (url, _),
        ):
            started.append(url)
            is_up.set()
            await stopping.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert is_up.wait(HELLO_SECONDS)
    try:
        yield Api(started[0])
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(HELLO_SECONDS)
        loop.close()
