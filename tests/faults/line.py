"""A proxy on a thread of its own, for tests that wait for a process and run no loop."""

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.proxy import Proxy


class Line:
    """The way from the daemon to one server; its `proxy` misbehaves as it is told."""

    def __init__(self, url: str) -> None:
        self.proxy = Proxy(url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="line")

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
        """The server's URL, by way of the proxy."""
        return self.proxy.url

    def cut(self) -> None:
        """Reset all connections."""
        self._do(self.proxy.cut)

    def lead_to(self, url: str) -> None:
        """Let the address lead to another server."""
        place = urlsplit(url)
        self.proxy.target = (place.hostname or "", place.port or 0)
        self.cut()

    def let_go(self) -> None:
        """Pass on what is kept, and keep nothing more."""
        self._do(self.proxy.let_go)

    def heal(self) -> None:
        """Pass on everything from now on; what was lost stays lost."""
        self.proxy.silent, self.proxy.delay, self.proxy.refuse_request = False, 0.0, None
        self.cut()

    def _do(self, action: Callable[[], None]) -> None:
        async def act() -> None:
            action()

        asyncio.run_coroutine_threadsafe(act(), self._loop).result()
