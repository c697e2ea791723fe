"""An HTTP proxy in front of S3 that injects faults."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import ClientSession, DummyCookieJar, web
from yarl import URL

ERROR = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
_HOP = {"connection", "transfer-encoding", "content-length", "date", "server", "keep-alive"}


@dataclass
class Fault:
    """What to do with requests that `match`: an error, a pause, a reset connection, or a call of the test."""

    match: Callable[[web.Request], bool]
    status: int = 0
    code: str = ""
    message: str = "injected by the test"
    times: int = 1_000_000
    """Number of requests that fail."""
    cut: bool = False
    """Reset the connection instead of answering."""
    as_json: bool = False
    """Send the error in SQS's format instead of S3's."""
    page: str | None = None
    """A body to send with status 200 and SQS's content type."""
    edit: Callable[[bytes], bytes] | None = None
    """Changes the body of the response."""
    before: Callable[[], object] | None = None
    """Called before the request is forwarded."""
    hold: asyncio.Event | None = None
    """Wait for this before the request is forwarded."""
    after: Callable[[], object] | None = None
    """Called after S3 has answered."""
    lose_answer: bool = False
    """Forward the request, and send an error in place of S3's response."""
    hits: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the first request that matches."""


def operation(name: str) -> Callable[[web.Request], bool]:
    """Matches requests of an S3 operation, by method, query and headers."""
    return lambda request: _operation(request) == name


def part(number: int) -> Callable[[web.Request], bool]:
    """Matches the copy of one part."""
    return lambda request: (
        _operation(request) == "UploadPartCopy" and request.query.get("partNumber") == str(number)
    )


def _operation(request: web.Request) -> str:  # noqa: PLR0911  a table
    match request.method, "uploadId" in request.query, "x-amz-copy-source" in request.headers:
        case "PUT", True, True:
            return "UploadPartCopy"
        case "PUT", False, True:
            return "CopyObject"
        case "POST", True, _:
            return "CompleteMultipartUpload"
        case "DELETE", True, _:
            return "AbortMultipartUpload"
        case "POST", False, _ if "restore" in request.query:
            return "RestoreObject"
        case "POST", False, _ if "uploads" in request.query:
            return "CreateMultipartUpload"
        case "HEAD", _, _:
            return "HeadObject"
        case "GET", _, _ if "tagging" in request.query:
            return "GetObjectTagging"
        case method, _, _:
            return method


class Faulty:
    """The proxy.  The first matching fault of `faults` applies; `seen` lists the operations requested."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self.faults: list[Fault] = []
        self.seen: list[str] = []
        self.most_at_once = 0
        self._now = 0
        self.restoring = False
        self.url = ""

    async def __aenter__(self) -> Self:
        self._session = ClientSession(auto_decompress=False, cookie_jar=DummyCookieJar())
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._session.close()

    def fail(self, fault: Fault) -> Fault:
        self.faults.append(fault)
        return fault

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(_operation(request))
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            return await self._answer(request)
        finally:
            self._now -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        fault = next((f for f in self.faults if f.hits < f.times and f.match(request)), None)
        if fault is None:
            return await self._forward(request)
        fault.hits += 1
        fault.reached.set()
        if fault.before:
            await asyncio.to_thread(fault.before)
        if fault.hold:
            await fault.hold.wait()
        if instead := self._instead(fault, request):
            return instead
        answer = await self._forward(request)
        if fault.edit:
            assert isinstance(answer.body, bytes)
            answer.body = fault.edit(answer.body)
        if fault.after:
            await asyncio.to_thread(fault.after)
        if fault.lose_answer:
            return web.Response(status=500, text=ERROR.format(code="InternalError", message=fault.message))
        return answer

    @staticmethod
    def _instead(fault: Fault, request: web.Request) -> web.Response | None:
        """The response of a fault that does not forward the request; None if it does."""
        if fault.cut:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if fault.page is not None:
            return web.Response(text=fault.page, content_type="application/x-amz-json-1.0")
        if not fault.status or fault.lose_answer:
            return None
        if fault.as_json:
            error = {"__type": fault.code, "message": fault.message}
            return web.json_response(error, status=fault.status)
        body = "" if request.method == "HEAD" else ERROR.format(code=fault.code, message=fault.message)
        return web.Response(status=fault.status, text=body, content_type="application/xml")

    async def _forward(self, request: web.Request) -> web.Response:
        async with self._session.request(
            request.method,
            URL(self._upstream + request.raw_path, encoded=True),
            headers={name: value for name, value in request.headers.items() if name.lower() not in _HOP},
            data=await request.read(),
            allow_redirects=False,
        ) as answer:
            headers = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP]
            body = await answer.read()
        response = web.Response(status=answer.status, body=body, headers=headers)
        if request.method == "HEAD" and "Content-Length" in answer.headers:
            response.headers["Content-Length"] = answer.headers["Content-Length"]
        if self.restoring and "x-amz-restore" in response.headers:
            response.headers["x-amz-restore"] = 'ongoing-request="true"'
        return response
