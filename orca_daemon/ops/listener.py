"""Accepts connections with limits of number and time, so that peers cannot use up the daemon's descriptors.

asyncio's own accept loop has no such limits, and logs in a loop when descriptors run out (CPython gh-151615).
"""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog

MOST = 64
"""Connections at one time; a new one beyond that closes the oldest."""
SECONDS = 15.0
"""How long a connection may last: one request, its answer, and a peer that reads it slowly."""
_BACKLOG = 128
_SCAN, _PAUSE, _WARN_EVERY = 1.0, 0.1, 60.0
_SHORT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_log: Any = structlog.get_logger()


def bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of `host`; port 0 takes a free one.

    Raises:
        OSError: one of the addresses cannot be bound.
    """
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in _addresses(host, port):
            listening = socket.socket(family, kind, protocol)
            sockets.append(listening)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind(address)
            listening.listen(_BACKLOG)
            listening.setblocking(False)
    except OSError:
        for each in sockets:
            each.close()
        raise
    return sockets


def _addresses(host: str, port: int) -> Sequence[Any]:
    # getaddrinfo blocks; it runs once, before there is any work.
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys(found))


@asynccontextmanager
async def accepting(
    sockets: Sequence[socket.socket],
    protocol: Callable[[], asyncio.BaseProtocol],
    *,
    most: int = MOST,
    seconds: float = SECONDS,
) -> AsyncIterator[None]:
    """Accept connections on listening sockets while the context is open, then close the sockets."""
    listener = _Listener(sockets, protocol, most, seconds)
    listener.open()
    watching = asyncio.create_task(listener.watch())
    try:
        yield
    finally:
        watching.cancel()
        listener.close()


class _Listener:
    """The open connections, oldest first."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        protocol: Callable[[], asyncio.BaseProtocol],
        most: int,
        seconds: float,
    ) -> None:
        self._sockets, self._protocol, self._most, self._seconds = sockets, protocol, most, seconds
        self._loop = asyncio.get_running_loop()
        self._open: list[tuple[asyncio.Transport, float]] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._reserve: int | None = None
        """A spare descriptor, closed when no other is free, so that a health check is still answered."""
        self._next_warning = 0.0

    def open(self) -> None:
        self._refill()
        for each in self._sockets:
            self._listen(each)

    def close(self) -> None:
        for each in self._sockets:
            self._loop.remove_reader(each)
            each.close()
        for task in self._opening:
            task.cancel()
        self._give_up_reserve()

    async def watch(self) -> None:
        """Close connections that last too long; runs for ever."""
        while True:
            await asyncio.sleep(_SCAN)
            self._refill()
            now = self._loop.time()
            for transport, until in self._open:
                if until <= now:
                    transport.abort()
            self._forget_closed()

    def _accept(self, listening: socket.socket) -> None:
        try:
            peer, _ = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            # Errors outside _SHORT come from the peer or the network (accept(2)); pause in case one persists.
            if error.errno not in _SHORT or not self._free_descriptor():
                self._pause(listening)
            return
        peer.setblocking(False)
        task = self._loop.create_task(self._serve(peer))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _serve(self, peer: socket.socket) -> None:
        try:
            transport, _ = await self._loop.connect_accepted_socket(self._protocol, peer)
        except OSError:  # the peer has disconnected already
            peer.close()
            return
        self._forget_closed()
        for oldest, _until in self._open[: max(0, len(self._open) + 1 - self._most)]:
            oldest.abort()
        self._open.append((transport, self._loop.time() + self._seconds))

    def _free_descriptor(self) -> bool:
        """Close a descriptor so that a peer can connect; returns whether one is free now."""
        now = self._loop.time()
        if now >= self._next_warning:
            self._next_warning = now + _WARN_EVERY
            _log.warning("http.no_descriptors", effect="connections wait", advice="raise LimitNOFILE")
        if self._reserve is not None:
            self._give_up_reserve()
            return True
        if self._open:
            self._open[0][0].abort()
        return False

    def _pause(self, listening: socket.socket) -> None:
        self._loop.remove_reader(listening)
        self._loop.call_later(_PAUSE, self._listen, listening)

    def _listen(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:
            self._loop.add_reader(listening, self._accept, listening)

    def _forget_closed(self) -> None:
        self._open = [each for each in self._open if not each[0].is_closing()]

    def _refill(self) -> None:
        if self._reserve is None:
            with suppress(OSError):
                self._reserve = os.open(os.devnull, os.O_RDONLY)

    def _give_up_reserve(self) -> None:
        if self._reserve is not None:
            os.close(self._reserve)
            self._reserve = None
