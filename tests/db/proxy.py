"""A TCP proxy in front of a server, which can be told to misbehave."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Proxy:
    """Forwards to a server.  Ports are on loopback."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 0)
        self._url = url
        self._server: asyncio.Server | None = None
        self._port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.silent = False
        """While true, bytes are taken and not passed on, and nobody is told."""
        self.lose_answer_to: bytes | None = None
        """When a client sends this, it is passed on, and both are cut off before the answer."""
        self.lost = asyncio.Event()

    @property
    def url(self) -> str:
        """The server's URL, by way of the proxy."""
        return self._url.replace(f":{self._target[1]}/", f":{self._port}/")

    async def __aenter__(self) -> Self:
        await self.admit()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def admit(self) -> None:
        """Let everyone in, at first and after `refuse`; the port stays the same."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Cut everyone off and let nobody in."""
        if self._server:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """Reset all connections."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(OSError):
            above, below = await asyncio.open_connection(*self._target)
            self._writers |= {writer, below}
            asked = asyncio.Event()
            await asyncio.gather(self._ask(reader, below, asked), self._answer(above, writer, asked))

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: asyncio.Event
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if self.lose_answer_to and self.lose_answer_to in data:
                    asked.set()
                await self._pass_on(data, writer)
            writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: asyncio.Event
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if asked.is_set():
                    self.lost.set()
                    self.cut()
                    return
                await self._pass_on(data, writer)
            writer.close()

    async def _pass_on(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        if not self.silent:
            writer.write(data)
            await writer.drain()
