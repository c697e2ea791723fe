"""A proxy whose event loop runs in a thread, for tests that block while they wait for a daemon process."""

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.proxy import Proxy


class Link:
    """The network link from the daemon to one server; faults are set on its `proxy`."""

    def __init__(self, url: str) -> None:
        self.proxy = Proxy(url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="link")

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.proxy.__aenter__(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self.proxy.__aexit__(None, None, None), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """The server's URL with the proxy's port in place of the server's."""
        return self.proxy.url

    def cut(self) -> None:
        """Reset all connections."""
        self._do(self.proxy.cut)

    def retarget(self, url: str) -> None:
        """Connect the proxy's address to another server, as a DNS change in a fail-over does."""
        server = urlsplit(url)
        self.proxy.target = (server.hostname or "", server.port or 0)
        self.cut()

    def release(self) -> None:
        """Forward the requests and responses that are held, and hold no others."""
        self._do(self.proxy.release)

    def restore(self) -> None:
        """End all faults and reset the connections: bytes that were discarded stay lost."""
        self.proxy.silent, self.proxy.delay, self.proxy.refuse_request = False, 0.0, None
        self.cut()

    def _do(self, action: Callable[[], None]) -> None:
        async def act() -> None:
            action()

        asyncio.run_coroutine_threadsafe(act(), self._loop).result()
