"""Runs a proxy in front of a server with its event loop in a thread, for tests that are not asynchronous."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from tests.aws.s3copy.faulty import Faulty

P = TypeVar("P", bound=Faulty)


@contextmanager
def in_thread(proxy: P) -> Iterator[P]:
    """Enter and leave the proxy in a thread of its own; the thread ends however the test ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=type(proxy).__name__)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(proxy.__aenter__(), loop).result()
        try:
            yield proxy
        finally:
            asyncio.run_coroutine_threadsafe(proxy.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
