"""A collector of traces for tests: a real OTLP/HTTP receiver, which decodes the protocol."""

import gzip
import http.server
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.waiting import until

KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedSpan:
    """A span as it arrived; ids in hexadecimal."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    links: Sequence[tuple[str, str]]
    """Trace and span of each."""
    attributes: Mapping[str, Any]
    failed: bool
    status: str
    began: int
    ended: int
    resource: Mapping[str, Any] = field(repr=False)
    schema: str = field(repr=False)


@dataclass(slots=True)
class Collector:
    """The receiver; a context manager.  `answer` is the HTTP status of each answer."""

    answer: int = 200
    gate: threading.Event = field(default_factory=threading.Event)
    """While it is cleared, requests wait."""
    spans: list[CollectedSpan] = field(default_factory=list)
    requests: int = 0
    url: str = ""
    _server: Any = None

    def __enter__(self) -> Self:
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.requests += 1
                collector.gate.wait()
                answer = b""
                if collector.answer == 200:
                    assert (self.path, self.headers["Content-Type"]) == (
                        "/v1/traces",
                        "application/x-protobuf",
                    )
                    zipped = self.headers.get("Content-Encoding") == "gzip"
                    collector.spans += decoded(gzip.decompress(body) if zipped else body)
                    answer = ExportTraceServiceResponse().SerializeToString()
                with suppress(OSError):  # the sender may have given up
                    self.send_response(collector.answer)
                    self.send_header("Content-Type", "application/x-protobuf")
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self.gate.set()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that send spans here, soon."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}

    def named(self, beginning: str) -> list[CollectedSpan]:
        """The spans whose names begin like this, in the order in which they began."""
        found = [span for span in self.spans if span.name.startswith(beginning)]
        return sorted(found, key=lambda span: span.began)

    def wait(self, condition: Callable[[], object], patience: float = 60.0) -> None:
        """Wait until a condition on the spans holds."""
        until(condition, patience=patience, output=lambda: "\n".join(map(str, self.spans)))


def decoded(body: bytes) -> list[CollectedSpan]:
    """The spans of a request."""
    request = ExportTraceServiceRequest.FromString(body)
    return [
        CollectedSpan(
            name=span.name,
            kind=KINDS[span.kind],
            trace=span.trace_id.hex(),
            id=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
            attributes=_values(span.attributes),
            failed=span.status.code == 2,
            status=span.status.message,
            began=span.start_time_unix_nano,
            ended=span.end_time_unix_nano,
            resource=_values(of_resource.resource.attributes),
            schema=of_scope.schema_url,
        )
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind)
