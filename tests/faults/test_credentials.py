"""AWS credentials that are replaced under the daemon, as those of a task's role are every few hours."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import MakeLine, events
from tests.faults.workload import Workload, everything_is_accounted_for


class Role(ThreadingHTTPServer):
    """What ECS runs beside a task: it hands out the credentials of the task's role."""

    key = "first"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handing)


class Handing(BaseHTTPRequestHandler):
    """Answers with the credentials of the moment."""

    server: Role

    def do_GET(self) -> None:
        # So little time is left that a client asks again before every call.
        expires = datetime.now(UTC) + timedelta(minutes=5)
        given = {
            "AccessKeyId": self.server.key,
            "SecretAccessKey": "local",
            "Token": "local",
            "Expiration": f"{expires:%Y-%m-%dT%H:%M:%SZ}",
        }
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(given).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def role() -> Iterator[Role]:
    with Role() as server:
        thread = threading.Thread(target=server.serve_forever, name="role")
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.matrix
def test_credentials_that_are_replaced_under_load_are_fetched_again(
    deployment: Deployment, work: Workload, line: MakeLine, sqs_endpoint: str, role: Role
) -> None:
    way = line(sqs_endpoint)
    daemon = deployment.start(
        AWS_ENDPOINT_URL_SQS=way.url,
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"http://127.0.0.1:{role.server_port}/role",
        AWS_ACCESS_KEY_ID="",
        AWS_SECRET_ACCESS_KEY="",
    )
    work.send(100)
    work.await_some()
    way.proxy.await_request = b"Credential=second/"
    role.key = "second"
    way.proxy.refuse_request = b"Credential=first/"
    work.send(20)
    deployment.until(way.proxy.reached.is_set, expected=True)
    everything_is_accounted_for(work, daemon)
    assert events(deployment, "attempt.failed") == []
