"""AWS credentials are replaced while the daemon runs, as ECS does with a task's role every few hours."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import MakeLink, events
from tests.faults.workload import Workload, everything_is_accounted_for


class CredentialsServer(ThreadingHTTPServer):
    """The endpoint that ECS runs beside a task: it returns the credentials of the task's role."""

    key = "first"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), CredentialsHandler)


class CredentialsHandler(BaseHTTPRequestHandler):
    """Returns the current credentials."""

    server: CredentialsServer

    def do_GET(self) -> None:
        # botocore refreshes credentials that expire within 15 minutes, so it fetches these before every call.
        expires = datetime.now(UTC) + timedelta(minutes=5)
        credentials = {
            "AccessKeyId": self.server.key,
            "SecretAccessKey": "local",
            "Token": "local",
            "Expiration": f"{expires:%Y-%m-%dT%H:%M:%SZ}",
        }
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(credentials).encode())

    def log_message(self, *_: object) -> None:
        """Write no access log to standard error."""


@pytest.fixture
def credentials_server() -> Iterator[CredentialsServer]:
    with CredentialsServer() as server:
        thread = threading.Thread(target=server.serve_forever, name="credentials")
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.matrix
def test_credentials_that_are_replaced_under_load_are_fetched_again(
    deployment: Deployment,
    work: Workload,
    make_link: MakeLink,
    sqs_endpoint: str,
    credentials_server: CredentialsServer,
) -> None:
    link = make_link(sqs_endpoint)
    daemon = deployment.start(
        AWS_ENDPOINT_URL_SQS=link.url,
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"http://127.0.0.1:{credentials_server.server_port}/role",
        AWS_ACCESS_KEY_ID="",
        AWS_SECRET_ACCESS_KEY="",
    )
    work.send(100)
    work.await_first_row()
    link.proxy.await_request = b"Credential=second/"
    credentials_server.key = "second"
    link.proxy.refuse_request = b"Credential=first/"
    work.send(20)
    deployment.until(link.proxy.reached.is_set, expected=True)
    everything_is_accounted_for(work, daemon)
    assert events(deployment, "attempt.failed") == []
