"""An HTTP proxy in front of S3 that answers some requests itself, as the test asks."""

import http.client
import http.server
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """A response sent instead of S3's own.

    `cut`: the body ends one byte before its announced length.  `reset`: the connection is reset instead.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"x-amz-request-id": "1"})
    cut: bool = False
    reset: bool = False


RESET = Answer(0, reset=True)


def error(code: str, status: int, message: str = "m") -> Answer:
    """An error response with the body that S3 sends."""
    return Answer(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())


class FlakyS3:
    """Forwards each request to `upstream`, unless `answers(method, path)` returns an `Answer` for it."""

    def __init__(self, upstream: str) -> None:
        self.asked: list[tuple[str, str]] = []
        """Method and path of each request, in order."""
        self.answers: Callable[[str, str], Answer | None] = lambda *_: None
        flaky, upstream_address = self, urlsplit(upstream).netloc

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = (
                "HTTP/1.1"  # with 1.0, `Expect: 100-continue` gets no response and the client hangs
            )

            def log_message(self, *_: object) -> None: ...

            def do_GET(self) -> None:
                body = _body(self)
                flaky.asked.append((self.command, self.path))
                answer = flaky.answers(self.command, self.path) or _forward(upstream_address, self, body)
                self.close_connection = True
                if answer.reset:
                    # SO_LINGER with zero seconds makes close() send RST instead of FIN.
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if "content-length" not in {name.lower() for name in answer.headers}:
                    self.send_header("Content-Length", str(len(answer.body) + answer.cut))
                self.end_headers()
                self.wfile.write(answer.body)

            do_PUT = do_POST = do_HEAD = do_DELETE = do_GET  # noqa: N815  names of the base class

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


_NOT_FORWARDED = {"connection", "transfer-encoding", "date", "server", "expect"}
"""Headers that hold for one connection only, or that this server writes itself."""


def _body(request: http.server.BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding", "") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))
    body = b""
    while size := int(request.rfile.readline().partition(b";")[0], 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body


def _forward(upstream_address: str, request: http.server.BaseHTTPRequestHandler, body: bytes) -> Answer:
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_FORWARDED}
    if body:
        headers["Content-Length"] = str(len(body))
    with closing(http.client.HTTPConnection(upstream_address)) as connection:
        connection.request(request.command, request.path, body or None, headers)
        response = connection.getresponse()
        kept = {name: value for name, value in response.getheaders() if name.lower() not in _NOT_FORWARDED}
        return Answer(response.status, response.read(), kept)
