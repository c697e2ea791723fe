"""A TCP proxy in front of a server, which can be told to misbehave."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


@dataclass(slots=True)
class _Talk:
    """What is to be done with the next answer on one connection."""

    lose: bool = False
    hold: bool = False


class Proxy:
    """Forwards to a server.  Ports are on loopback.

    Requests are known by a few bytes of them.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.target = (parts.hostname or "", parts.port or 0)
        """Host and port of the server; another one serves connections that are made from then on."""
        self._url = url
        self._server: asyncio.Server | None = None
        self._port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._released = asyncio.Event()
        self.silent = False
        """While true, bytes are taken and not passed on, and nobody is told."""
        self.delay = 0.0
        """Seconds that bytes take, each way."""
        self.lose_answer_to: bytes | None = None
        """When a client sends this, it is passed on, and both are cut off before the answer."""
        self.refuse_request: bytes | None = None
        """When a client sends this, both are cut off before it is passed on."""
        self.hold_request: bytes | None = None
        """When a client sends this, it is kept until `let_go`."""
        self.hold_answer_to: bytes | None = None
        """When a client sends this, it is passed on, and the answer is kept until `let_go`."""
        self.await_request: bytes | None = None
        """When a client sends this, `reached` is set; the other traps set it too."""
        self.lost = asyncio.Event()
        self.reached = asyncio.Event()

    @property
    def url(self) -> str:
        """The server's URL, by way of the proxy."""
        return self._url.replace(f":{urlsplit(self._url).port}", f":{self._port}", 1)

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
        """Reset all connections; what is kept is forgotten."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def let_go(self) -> None:
        """Pass on what is kept, and keep nothing more."""
        self.hold_request = self.hold_answer_to = None
        self._released.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Cancelled with the proxy; asyncio's streams would log that as an error.
        with suppress(OSError, asyncio.CancelledError):
            try:
                above, below = await asyncio.open_connection(*self.target)
            except OSError:
                writer.transport.abort()
                return
            self._writers |= {writer, below}
            talk = _Talk()
            await asyncio.gather(self._ask(reader, below, talk), self._answer(above, writer, talk))

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, talk: _Talk) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if _within(self.await_request, data):
                    self.reached.set()
                if _within(self.refuse_request, data):
                    self.reached.set()
                    self.cut()
                    return
                if _within(self.hold_request, data):
                    await self._hold()
                talk.lose = talk.lose or _within(self.lose_answer_to, data)
                talk.hold = talk.hold or _within(self.hold_answer_to, data)
                await self._pass_on(data, writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, talk: _Talk) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if talk.lose:
                    self.lost.set()
                    self.cut()
                    return
                if talk.hold:
                    await self._hold()
                    talk.hold = False
                await self._pass_on(data, writer)
            writer.close()

    async def _hold(self) -> None:
        self.reached.set()
        await self._released.wait()

    async def _pass_on(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        if not self.silent:
            writer.write(data)
            await writer.drain()


def _within(mark: bytes | None, data: bytes) -> bool:
    return mark is not None and mark in data
