"""A small Step Functions for tests: tasks that wait with a token, answered as AWS documents it.

Sources: AWS's API reference of SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat.  moto accepts every
token and forgets it, and runs state machines only with parsers that are not installed here.
"""

import http.server
import json
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

LARGEST_OUTPUT = 262_144
_OPERATIONS = "AWSStepFunctions."


class _RefusedError(Exception):
    """The call is answered with an error of this code."""


@dataclass(slots=True)
class Task:
    """A task that waits, or has ended."""

    heartbeats: int = 0
    output: Any = None
    error: str | None = None
    cause: str | None = None
    ended: bool = False
    timed_out: bool = False


@dataclass(slots=True)
class FakeStepFunctions:
    """The server; a context manager.  Tests add tasks by their token, and read how they ended."""

    tasks: dict[str, Task] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    """The calls, in order."""
    fails_with: tuple[int, str] | None = None
    """HTTP status and code with which every call is answered."""
    invalid_outputs: int = 0
    """How many outputs are still answered with InvalidOutput."""
    changed: threading.Condition = field(default_factory=threading.Condition)
    url: str = ""
    _server: Any = None

    def __enter__(self) -> Self:
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None: ...

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                operation = self.headers["X-Amz-Target"].removeprefix(_OPERATIONS)
                status, document = fake._answer(operation, request)
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("x-amzn-RequestId", "1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def waits(self, token: str) -> Task:
        """A new task that waits with this token."""
        self.tasks[token] = Task()
        return self.tasks[token]

    def _answer(self, operation: str, request: dict[str, str]) -> tuple[int, dict[str, str]]:
        with self.changed:
            self.calls.append(operation)
            try:
                self._change(operation, request)
            except _RefusedError as error:
                return 400, {"__type": str(error), "message": f"refused: {request['taskToken']}"}
            finally:
                self.changed.notify_all()
            if self.fails_with is not None:
                status, code = self.fails_with
                return status, {"__type": code, "message": "m"}
            return 200, {}

    def _change(self, operation: str, request: dict[str, str]) -> None:
        if self.fails_with is not None:
            return
        token = request["taskToken"]
        if not token.startswith("token"):
            raise _RefusedError("InvalidToken")
        task = self.tasks.get(token)
        if task is None or task.ended:
            raise _RefusedError("TaskDoesNotExist")
        if task.timed_out:
            raise _RefusedError("TaskTimedOut")
        match operation:
            case "SendTaskHeartbeat":
                task.heartbeats += 1
            case "SendTaskSuccess":
                self._succeed(task, request["output"])
            case "SendTaskFailure":
                task.error, task.cause, task.ended = request.get("error"), request.get("cause"), True
            case _:
                raise _RefusedError("UnknownOperationException")

    def _succeed(self, task: Task, output: str) -> None:
        if len(output.encode()) > LARGEST_OUTPUT:
            raise _RefusedError("ValidationException")
        if self.invalid_outputs:
            self.invalid_outputs -= 1
            raise _RefusedError("InvalidOutput")
        task.output, task.ended = json.loads(output), True
