"""A server that sends wrong responses in AWS's place, and a table of such responses."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.aws.correct_responses import Call

MakeResponse = Callable[[Call], web.StreamResponse | bytes | None]
"""Makes a response, or bytes after which the connection closes; None resets the connection."""
_PAGE = "<html><head><title>log in</title></head><body>please</body></html>"
_JSON = "application/x-amz-json-1.0"
_XML = "application/xml"


def _page(status: int = 200, text: str = _PAGE, kind: str = "text/html") -> MakeResponse:
    return lambda _: web.Response(status=status, text=text, content_type=kind)


def _cut(call: Call) -> bytes:
    head = f"HTTP/1.1 {call.status} OK\r\nContent-Length: {len(call.body) + 50}\r\n\r\n"
    return head.encode() + call.body[: len(call.body) // 2]


def _half(call: Call) -> web.Response:
    # A response to HEAD has no body to cut, so headers are missing instead.
    headers = {
        name: value for name, value in call.headers.items() if name not in {"ETag", "x-amz-request-id"}
    }
    return web.Response(status=call.status, body=call.body[: len(call.body) // 2], headers=headers)


def _file_of_nginx(_: Call) -> web.Response:
    return web.Response(text=_PAGE, content_type="text/html", headers={"ETag": '"63f5e5c4-267"'})


WRONG_RESPONSES: dict[str, MakeResponse] = {
    "a page": _page(),
    "a page as JSON": _page(kind=_JSON),
    "a file of nginx": _file_of_nginx,
    "nothing": lambda _: web.Response(content_type=_JSON),
    "no content": lambda _: web.Response(status=202, content_type=_XML),
    "a list": _page(text="[1,2]", kind=_JSON),
    "null": _page(text="null", kind=_JSON),
    "a text": _page(text='"ok"', kind=_JSON),
    "a foreign object": _page(text='{"ok": true}', kind=_JSON),
    "a foreign document": _page(text="<ok/>", kind=_XML),
    "a nest": _page(text="[" * 100_000, kind=_JSON),
    "half of it": _half,
    "a cut line": _cut,
    "a bad chunk": lambda _: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nxx",
    "a reset": lambda _: None,
    "no HTTP": lambda _: b"SSH-2.0-OpenSSH_9.2\r\n",
    "a redirect": lambda _: web.Response(status=302, headers={"Location": "http://127.0.0.1:9/login"}),
    "400 and a page": _page(400),
    "401 and a page": _page(401),
    "403 and a page": _page(403),
    "404 and a page": _page(404),
    "407 and a page": _page(407),
    "410 and nothing": lambda _: web.Response(status=410, content_type="text/html"),
    "429 and an object": _page(429, "{}", _JSON),
    "400 and a list": _page(400, "[1]", _JSON),
    "500 and a page": _page(500),
    "502 and an object": _page(502, "{}", _JSON),
    "503 and a page": _page(503),
    "504 and nothing": lambda _: web.Response(status=504),
}


class WrongServer:
    """A server that answers `call` with `wrong`, or correctly if that is None; an async context manager."""

    def __init__(self) -> None:
        self.call: Call | None = None
        self.wrong: MakeResponse | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        with suppress(asyncio.IncompleteReadError):
            await request.read()
        assert self.call
        assert request.transport
        if self.wrong is None:
            call = self.call
            return web.Response(status=call.status, headers=dict(call.headers), body=call.body)
        wrong = self.wrong(self.call)
        if isinstance(wrong, web.StreamResponse):
            return wrong
        if wrong is None:
            request.transport.abort()
        else:
            request.transport.write(wrong)
            request.transport.close()
        return web.Response()
