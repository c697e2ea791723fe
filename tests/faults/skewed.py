"""A proxy that refuses requests with a wrong clock as AWS does; the embedded servers accept any time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from aiohttp import web

from tests.aws.s3copy.faulty import Fault, Faulty
from tests.faults.threaded import in_thread

LIMITS = {"sqs": 300.0, "s3": 900.0}
"""Seconds by which a request's time may differ (AWS: Signature Version 4; S3's RequestTimeTooSkewed)."""
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
    """Refuses a request whose time is too far from the clock of this process, which tests never change."""

    def __init__(self, upstream: str, service: str) -> None:
        super().__init__(upstream)
        self._service = service
        self.refused = 0

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        signed = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        too_skewed = abs((datetime.now(UTC) - signed).total_seconds()) > LIMITS[self._service]
        self.refused += too_skewed
        self.faults = [REFUSALS[self._service]] if too_skewed else []
        return await super()._answer(request)


@contextmanager
def skewed(url: str, service: str) -> Iterator[Skewed]:
    """Run a `Skewed` proxy in front of `url`, with its event loop in a thread."""
    with in_thread(Skewed(url, service)) as proxy:
        yield proxy
