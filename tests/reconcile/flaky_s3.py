"""An S3 in front of the real one, which answers some requests by itself, as it is told."""

import http.server
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Answer:
    """What comes instead of S3's own; `cut` ends it in the middle."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"x-amz-request-id": "1"})
    cut: bool = False


def error(code: str, status: int, message: str = "m") -> Answer:
    """An error as S3 writes it."""
    return Answer(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())


class FlakyS3:
    """Forwards GET to an S3; `answers` takes a path and may return something else."""

    def __init__(self, upstream: str) -> None:
        self.asked: list[str] = []
        self.answers: Callable[[str], Answer | None] = lambda _: None
        flaky = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None: ...

            def do_GET(self) -> None:
                flaky.asked.append(self.path)
                answer = flaky.answers(self.path) or _forwarded(upstream + self.path, dict(self.headers))
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body) + answer.cut))
                self.end_headers()
                self.wfile.write(answer.body)

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


_PASSED_ON = {"etag", "x-amzn-requestid", "content-type", "last-modified"}


def _forwarded(url: str, headers: dict[str, str]) -> Answer:
    headers = {name: value for name, value in headers.items() if name.lower() != "connection"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:  # noqa: S310  of moto
            found, body = answer, answer.read()
    except urllib.error.HTTPError as refused:
        found, body = refused, refused.read()
    passed = {name: value for name, value in found.headers.items() if name.lower() in _PASSED_ON}
    return Answer(found.status, body, passed)
