"""The console's port with peers that are slow or speak no HTTP."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from orca_daemon.console import server
from orca_daemon.console.server import serving
from tests.waiting import PATIENCE


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    logger = logging.getLogger("uvicorn.error")
    before = logger.handlers[:], logger.propagate
    yield
    logger.handlers[:], logger.propagate = before


@asynccontextmanager
async def port() -> AsyncIterator[int]:
    app = FastAPI()

    @app.get("/")
    async def answer() -> str:
        return "yes"

    async with serving(app, "127.0.0.1", 0) as (url, _):
        yield int(url.rpartition(":")[2])


async def told(number: int, sent: bytes) -> bytes:
    """Everything that the port answers until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", number)
    try:
        writer.write(sent)
        return await asyncio.wait_for(reader.read(), PATIENCE)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost:"], ids=["silent", "begun"])
async def test_a_head_that_does_not_end_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.05)
    async with port() as number:
        assert await told(number, begun) == b""


async def test_a_second_head_on_a_connection_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.05)
    async with port() as number:
        reader, writer = await asyncio.open_connection("127.0.0.1", number)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b'"yes"'), PATIENCE)
        writer.write(b"GET / HT")
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_what_is_not_http_is_refused_and_is_no_error_of_ours() -> None:
    with capture_logs() as logs:
        async with port() as number:
            answer = await told(number, b"\x16\x03\x01\x02\x00 nonsense\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert {line["log_level"] for line in logs} <= {"debug"}
