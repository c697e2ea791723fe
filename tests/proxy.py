"""A TCP proxy in front of a server that injects network faults when the test asks for them."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


@dataclass(slots=True)
class _Connection:
    """What happens to the next response on one connection."""

    lose: bool = False
    hold: bool = False


class Proxy:
    """Forwards TCP connections from a loopback port to a server.

    A fault that concerns one kind of request names a few bytes that this request contains.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.target = (parts.hostname or "", parts.port or 0)
        """Host and port of the server; a change affects new connections only."""
        self._url = url
        self._server: asyncio.Server | None = None
        self._port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._released = asyncio.Event()
        self.silent = False
        """While true, bytes in both directions are read and discarded; connections stay open."""
        self.delay = 0.0
        """Seconds by which bytes are delayed in each direction."""
        self.lose_answer_to: bytes | None = None
        """If a client sends this, it is forwarded; all connections are reset when the response arrives."""
        self.refuse_request: bytes | None = None
        """If a client sends this, all connections are reset and it is not forwarded."""
        self.hold_request: bytes | None = None
        """If a client sends this, it is held until `release`."""
        self.hold_answer_to: bytes | None = None
        """If a client sends this, it is forwarded, and the response is held until `release`."""
        self.await_request: bytes | None = None
        """If a client sends this, `reached` is set and it is forwarded."""
        self.lost = asyncio.Event()
        """Set when a response was lost because of `lose_answer_to`."""
        self.reached = asyncio.Event()
        """Set when a request matched `await_request`, `refuse_request` or one of the `hold_` settings."""

    @property
    def url(self) -> str:
        """The server's URL with the proxy's port in place of the server's."""
        return self._url.replace(f":{urlsplit(self._url).port}", f":{self._port}", 1)

    async def __aenter__(self) -> Self:
        await self.accept_connections()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse_connections()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def accept_connections(self) -> None:
        """Listen, at first and after `refuse_connections`; the port stays the same."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def refuse_connections(self) -> None:
        """Reset all connections and stop listening."""
        if self._server:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """Reset all connections; requests and responses that are held are lost."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def release(self) -> None:
        """Forward the requests and responses that are held, and hold no others."""
        self.hold_request = self.hold_answer_to = None
        self._released.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # `__aexit__` cancels this task; asyncio's streams would log a CancelledError as an error.
        with suppress(OSError, asyncio.CancelledError):
            try:
                server_reader, server_writer = await asyncio.open_connection(*self.target)
            except OSError:
                writer.transport.abort()
                return
            self._writers |= {writer, server_writer}
            connection = _Connection()
            await asyncio.gather(
                self._forward_requests(reader, server_writer, connection),
                self._forward_responses(server_reader, writer, connection),
            )

    async def _forward_requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: _Connection
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if _contains(data, self.await_request):
                    self.reached.set()
                if _contains(data, self.refuse_request):
                    self.reached.set()
                    self.cut()
                    return
                if _contains(data, self.hold_request):
                    await self._hold()
                connection.lose = connection.lose or _contains(data, self.lose_answer_to)
                connection.hold = connection.hold or _contains(data, self.hold_answer_to)
                await self._forward(data, writer)
            writer.close()

    async def _forward_responses(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: _Connection
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if connection.lose:
                    self.lost.set()
                    self.cut()
                    return
                if connection.hold:
                    await self._hold()
                    connection.hold = False
                await self._forward(data, writer)
            writer.close()

    async def _hold(self) -> None:
        self.reached.set()
        await self._released.wait()

    async def _forward(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        if not self.silent:
            writer.write(data)
            await writer.drain()


def _contains(data: bytes, part: bytes | None) -> bool:
    return part is not None and part in data
