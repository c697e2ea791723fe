"""The port with peers that are silent, slow or many, or do not speak HTTP."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any
from urllib.request import urlopen

import pytest
from structlog.testing import capture_logs

from orca_daemon.ops import listener
from orca_daemon.ops.health import Check
from orca_daemon.ops.http import serve
from tests.waiting import PATIENCE

WELL = Check("event_loop", ok=True, detail="fine")
SECONDS = 0.3
SIZE = 50_000_000
"""More than fits into the buffers of both ends."""


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short limits, so that no test waits for 15 seconds."""
    given: Callable[..., Any] = listener.accepting
    monkeypatch.setattr("orca_daemon.ops.http.accepting", lambda *a: given(*a, most=3, seconds=SECONDS))
    monkeypatch.setattr(listener, "_SCAN", 0.05)


async def nothing() -> str:
    return "{}"


@asynccontextmanager
async def port(metrics: Callable[[], bytes] = bytes) -> AsyncIterator[tuple[str, int]]:
    async with serve(
        "127.0.0.1", 0, metrics=metrics, live=lambda: [WELL], ready=lambda: [WELL], state=nothing
    ) as url:
        host, _, number = url.removeprefix("http://").rpartition(":")
        yield host, int(number)


@asynccontextmanager
async def peer(address: tuple[str, int]) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address, limit=1)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def answer_to(address: tuple[str, int], request: bytes) -> bytes:
    """The whole answer until the connection is closed."""
    async with peer(address) as (reader, writer):
        writer.write(request)
        try:
            return await asyncio.wait_for(reader.read(), PATIENCE)
        except ConnectionResetError:
            return b"reset"


def get(path: str, method: str = "GET", **headers: str) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(get("/livez"), b"200", id="livez"),
        pytest.param(get("/livez", "HEAD"), b"200", id="HEAD"),
        pytest.param(get("/nothing"), b"404", id="unknown path"),
        pytest.param(get("/livez", "POST"), b"405", id="POST"),
        pytest.param(get("/livez", a="b" * 100_000), b"400", id="huge header"),
        pytest.param(get("/" + "x" * 100_000), b"400", id="huge path"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400", id="TLS"),
        pytest.param(b"JRMI\x00\x02K\r\n\r\n", b"400", id="RMI"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400", id="HTTP 2"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"400", id="SSH"),
    ],
)
async def test_each_peer_gets_one_answer_and_no_line_above_debug(request_: bytes, status: bytes) -> None:
    with capture_logs() as logged:
        async with port() as address:
            answer = await answer_to(address, request_)
    # A peer that still sends when it is closed may see a reset.
    if answer != b"reset":
        assert answer.split(b" ", 2)[1] == status
        assert answer.startswith(b"HTTP/1.0 ") or b"Connection: close" in answer
    assert {line["log_level"] for line in logged} <= {"debug"}


@pytest.mark.parametrize("start", [b"", b"GET /livez HTTP/1.1\r\nHost:"], ids=["silent", "slow"])
async def test_a_peer_that_does_not_end_its_request_is_closed(start: bytes) -> None:
    async with port() as address:
        began = time.monotonic()
        assert await answer_to(address, start) in {b"", b"reset"}
        assert time.monotonic() - began >= SECONDS


async def test_a_peer_that_does_not_read_its_answer_is_closed() -> None:
    async with port(lambda: b"x" * SIZE) as address, peer(address) as (reader, writer):
        writer.write(get("/metrics"))
        await asyncio.sleep(2 * SECONDS)  # the peer does not read meanwhile
        assert len(await reader.read()) < SIZE


async def test_a_new_peer_closes_the_oldest_connection() -> None:
    async with port() as address, AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(peer(address)) for _ in range(6)]
        assert b" 200 " in await answer_to(address, get("/livez"))
        for reader, _ in idle[:3]:
            assert await asyncio.wait_for(reader.read(), PATIENCE) == b""


async def test_an_internal_failure_is_logged_and_answered() -> None:
    def fail() -> bytes:
        raise RuntimeError("odd")

    with capture_logs() as logged:
        async with port(fail) as address:
            answer = await answer_to(address, get("/metrics"))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert [(line["event"], line["log_level"]) for line in logged] == [("http.failed", "error")]


def health(url: str) -> int:
    with urlopen(f"{url}/livez", timeout=PATIENCE) as answer:  # noqa: S310  our own address
        return int(answer.status)


def test_health_is_reported_when_there_is_no_descriptor_left() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.ops.exhausted"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    url = process.stdout.readline().strip()
    assert health(url) == 200
    assert health(url) == 200
    host, _, number = url.removeprefix("http://").rpartition(":")
    idle = [socket.create_connection((host, int(number))) for _ in range(20)]
    assert health(url) == 200
    for each in idle:
        each.close()
    _, logged = process.communicate("\n", timeout=PATIENCE)
    assert {json.loads(line)["event"] for line in logged.splitlines()} == {"http.no_descriptors"}
    assert len(logged.splitlines()) == 1
    assert process.returncode == 0


async def test_every_address_of_a_name_is_served() -> None:
    sockets = listener.bind("localhost", 0)
    hosts = {each.getsockname()[0] for each in sockets}
    for each in sockets:
        each.close()
    assert hosts <= {"127.0.0.1", "::1"}
    assert hosts
    with pytest.raises(OSError, match=r"known|failure|resolution"):
        listener.bind("no-such-host.invalid", 0)
