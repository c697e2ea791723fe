"""Schemathesis against a console process: every answer is in `/openapi.json`, and none is a 500.

`./dev api_fuzz` installs Schemathesis and runs this.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.api.server import console_process
from orca_daemon.console.orca_api.requests import GranuleStatusRequest
from tests.conftest import Server
from tests.console.orca_api.records import add_granules, add_recovery, add_reports

pytestmark = pytest.mark.outside

EXAMPLES = 150
PATIENCE = 1_200.0


def test_no_generated_request_gets_an_answer_that_the_page_does_not_describe(postgres: Server) -> None:
    url = postgres.migrated()
    add_granules(url, [("C", f"G{number}") for number in range(250)], files=2)
    job = GranuleStatusRequest.model_fields["async_operation_id"].examples or []
    granule = GranuleStatusRequest.model_fields["granule_id"].examples or []
    add_recovery(url, job[0], granule[0], {"a": 1, "b": 3}, status=1, collection="MOD09GQ___006")
    add_reports(url, rows=150)
    with console_process(url) as (console, _):
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            *("run", f"{console}/openapi.json", "--include-path-regex", "^/orca_api/"),
            *("--checks", "all", "--max-examples", str(EXAMPLES), "--generation-allow-x00", "true"),
            *("--no-color", "--output-truncate", "true", "--request-timeout", "30"),
        ]
        run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    postgres.drop(url)
    assert run.returncode == 0, run.stdout[-20_000:]
