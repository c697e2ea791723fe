"""A small pooler in front of Postgres: it invents the keys of sessions, and forwards cancel requests.

It speaks as much of the protocol as psycopg2 does: simple queries, without COPY.  The real pgbouncer is tried
in tests/faults.
"""

import asyncio
import struct
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_CANCEL, _TLS, _GSS = 80877102, 80877103, 80877104
_AUTHENTICATED, _SASL_FINAL = 0, 12


class Session:
    """A connection to the server, and the messages of its start-up."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.free = asyncio.Lock()
        self.key = b""
        self.greeting = b""

    @classmethod
    async def open(
        cls,
        address: tuple[str, int],
        startup: bytes,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> Self:
        """A session of the server; the pooler's client authenticates it."""
        session = cls(*await asyncio.open_connection(*address))
        session.writer.write(startup)
        while True:
            kind, message = await _message(session.reader)
            if kind == b"R" and (authentication := int.from_bytes(message[5:9], "big")) != _AUTHENTICATED:
                client[1].write(message)
                if authentication != _SASL_FINAL:
                    session.writer.write((await _message(client[0]))[1])
            elif kind == b"K":
                session.key = message[5:]
            elif kind == b"S":
                session.greeting += message
            elif kind == b"Z":
                return session


class Pooler:
    """Pools by session, or by transaction over one connection to the server."""

    def __init__(self, url: str, *, by_transaction: bool = False) -> None:
        parts = urlsplit(url)
        self._url, self._by_transaction = url, by_transaction
        self._address = (parts.hostname or "", parts.port or 0)
        self._numbers = count(1)
        self._sessions: dict[bytes, Session] = {}
        self._shared: Session | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.url = ""
        self.cancelled = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = self._url.replace(f":{self._address[1]}", f":{port}", 1)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for session in [*self._sessions.values(), *([self._shared] if self._shared else [])]:
            session.writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._serve(reader, writer)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readexactly(8)
            length, code = struct.unpack("!ii", head)
            startup = head + await reader.readexactly(length - 8)
            if code not in {_TLS, _GSS}:
                break
            writer.write(b"N")
        if code == _CANCEL:
            await self._cancel(startup)
            return
        session = await self._session(startup, (reader, writer))
        key = struct.pack("!ii", next(self._numbers), 0)
        self._sessions[key] = session
        ready = b"Z" + struct.pack("!ic", 5, b"I")
        writer.write(
            b"R" + struct.pack("!ii", 8, 0) + session.greeting + b"K" + struct.pack("!i", 12) + key + ready
        )
        await self._relay(session, reader, writer)

    async def _session(
        self, startup: bytes, client: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> Session:
        if not self._by_transaction:
            return await Session.open(self._address, startup, client)
        self._shared = self._shared or await Session.open(self._address, startup, client)
        return self._shared

    async def _relay(
        self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            await self._statement(session, *await _message(reader), reader, writer)

    async def _statement(
        self,
        session: Session,
        kind: bytes,
        message: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Forward statements until the next one outside of a transaction."""
        if kind == b"X":
            if not self._by_transaction:
                session.writer.close()
            raise ConnectionResetError
        async with session.free:
            while True:
                session.writer.write(message)
                while kind != b"Z":
                    kind, message = await _message(session.reader)
                    writer.write(message)
                if message.endswith(b"I"):
                    return
                kind, message = await _message(reader)

    async def _cancel(self, request: bytes) -> None:
        session = self._sessions[request[8:]]
        self.cancelled += 1
        answer, writer = await asyncio.open_connection(*self._address)
        writer.write(request[:8] + session.key)
        await answer.read()
        writer.close()


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The type of the next message, and the whole message."""
    head = await reader.readexactly(5)
    return head[:1], head + await reader.readexactly(int.from_bytes(head[1:], "big") - 4)
