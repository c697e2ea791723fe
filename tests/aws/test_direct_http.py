"""Requests that go past aiohttp's session: what is sent, what is read, and what becomes of the connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest

from orca_daemon.aws.direct_http import FITS, Exchange, Exchanged

Answering = Callable[[int, asyncio.StreamWriter], Awaitable[None]]
"""Answers a request of a connection; the number counts all requests from 1."""
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: e\r\n\r\nok"


class Peer:
    """A server that answers as a test wants it; it keeps what was sent, and counts connections."""

    def __init__(self, answer: Answering) -> None:
        self._answer = answer
        self.requests: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                _, _, length = head.lower().partition(b"content-length: ")
                body = await reader.readexactly(int(length.split(b"\r\n")[0]) if length else 0)
                self.requests.append(head + body)
                await self._answer(len(self.requests), writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def peer(answer: Answering, sock_read: float = 60.0) -> AsyncIterator[tuple[Exchange, Peer]]:
    served = Peer(answer)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=60, sock_read=sock_read)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            yield Exchange(session, url, "sqs.example.org"), served
    finally:
        server.close()


def always(answer: bytes, *, close: bool = False) -> Answering:
    async def write(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        if close:
            writer.close()

    return write


def test_the_aiohttp_that_is_locked_has_what_is_used() -> None:
    assert FITS


async def test_a_request_is_sent_as_it_was_signed_and_its_connection_is_used_again() -> None:
    async with peer(always(FINE)) as (exchange, served):
        for body in (b"one", b"two"):
            exchanged = await exchange("POST", "/a%20b?c=d", {"X-Amz-Date": "now"}, body)
            assert exchanged == Exchanged(200, ((b"Content-Length", b"2"), (b"ETag", b"e")), b"ok")
        assert served.requests == [
            b"POST /a%20b?c=d HTTP/1.1\r\nHost: sqs.example.org\r\nAccept: */*\r\nX-Amz-Date: now\r\n"
            b"Content-Length: 3\r\n\r\n" + body
            for body in (b"one", b"two")
        ]
        assert served.connections == 1


async def test_a_response_to_head_has_no_body_and_put_has_a_length() -> None:
    async with peer(always(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")) as (exchange, served):
        for _ in range(2):
            assert (await exchange("HEAD", "/k", {}, None)).body == b""
        assert served.connections == 1
    async with peer(always(FINE)) as (exchange, served):
        await exchange("PUT", "/k", {}, None)
        assert b"Content-Length: 0\r\n" in served.requests[0]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "close", "connections"),
    [
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n" + FINE, False, 1, id="interim"
        ),
        pytest.param(CHUNKED, False, 1, id="chunked"),
        pytest.param(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok", True, 2, id="until the end"),
    ],
)
async def test_responses_of_every_form_are_read_and_only_clean_connections_are_kept(
    answer: bytes, *, close: bool, connections: int
) -> None:
    async with peer(always(answer, close=close)) as (exchange, served):
        for _ in range(2):
            assert (await exchange("POST", "/", {}, b"")).body == b"ok"
        assert served.connections == connections


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", aiohttp.ClientPayloadError, id="half"
        ),
        pytest.param(b"<html>a proxy's page</html>\r\n\r\n", aiohttp.ClientError, id="no HTTP"),
        pytest.param(FINE + b"more than was announced", aiohttp.ClientError, id="more than announced"),
        pytest.param(b"", aiohttp.ServerDisconnectedError, id="nothing"),
    ],
)
async def test_a_response_that_is_none_is_an_error(answer: bytes, error: type[Exception]) -> None:
    async with peer(always(answer, close=True)) as (exchange, _):
        with pytest.raises(error):
            await exchange("POST", "/", {}, b"")


@pytest.mark.parametrize(("method", "sent"), [("HEAD", 3), ("PUT", 3), ("POST", 2)])
async def test_a_connection_that_was_closed_in_the_pool_costs_only_an_idempotent_method_nothing(
    method: str, sent: int
) -> None:
    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 2:
            writer.close()
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with peer(answer) as (exchange, served):
        await exchange(method, "/", {}, None)
        if method == "POST":
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await exchange(method, "/", {}, None)
        else:
            assert (await exchange(method, "/", {}, None)).status == 200
        assert len(served.requests) == sent


async def test_silence_ends_at_the_time_limit_of_the_session() -> None:
    async with peer(always(b""), sock_read=0.05) as (exchange, _):
        with pytest.raises(aiohttp.ServerTimeoutError, match="reading"):
            await exchange("POST", "/", {}, b"")


async def test_a_cancelled_request_leaves_its_connection_to_nobody() -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def answer(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            asked.set()
            await go.wait()
        writer.write(FINE)

    async with peer(answer) as (exchange, served):
        first = asyncio.ensure_future(exchange("POST", "/", {}, b"first"))
        await asked.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        go.set()
        assert (await exchange("POST", "/", {}, b"second")).body == b"ok"
        assert served.connections == 2


@pytest.mark.parametrize("value", ["a\r\nX-Amz-Date: b", "a\nb", "a\rb", "a\0b"])
async def test_a_header_with_a_line_break_is_not_sent(value: str) -> None:
    async with peer(always(FINE)) as (exchange, served):
        with pytest.raises(ValueError, match="line break"):
            await exchange("POST", "/", {"X": value}, b"")
        assert served.requests == []


async def test_nobody_listens() -> None:
    async with aiohttp.ClientSession() as session:
        exchange = Exchange(session, "http://127.0.0.1:1/", "sqs.example.org")
        with pytest.raises(aiohttp.ClientConnectorError):
            await exchange("HEAD", "/", {}, None)
