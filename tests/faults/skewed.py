"""A server of AWS that compares the time of a request with its own clock, as the embedded ones do not."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from aiohttp import web

from tests.aws.s3copy.faulty import Fault, Faulty

LIMITS = {"sqs": 300.0, "s3": 900.0}
"""Seconds that a signature's time may be off (AWS: Signature Version 4, and S3's RequestTimeTooSkewed)."""
REFUSALS = {
    "sqs": Fault(
        lambda _: True,
        status=403,
        code="InvalidSignatureException",
        message="Signature expired: it is now earlier than the time of this server less 5 min.",
        as_json=True,
    ),
    "s3": Fault(lambda _: True, status=403, code="RequestTimeTooSkewed"),
}


class Skewed(Faulty):
    """Refuses a request whose time is too far from this process's clock, which no test steps."""

    def __init__(self, upstream: str, service: str) -> None:
        super().__init__(upstream)
        self._service = service
        self.refused = 0

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        signed = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        off = abs((datetime.now(UTC) - signed).total_seconds()) > LIMITS[self._service]
        self.refused += off
        self.faults = [REFUSALS[self._service]] if off else []
        return await super()._answer(request)


@contextmanager
def skewed(url: str, service: str) -> Iterator[Skewed]:
    """Such a server in front of another, on a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=service)
    thread.start()
    proxy = Skewed(url, service)
    asyncio.run_coroutine_threadsafe(proxy.__aenter__(), loop).result()
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(proxy.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
