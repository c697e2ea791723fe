"""`orca-daemon local` as a process: `stack.json`, data after a restart, no process left after the exit."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import boto3
import psycopg2
import pytest

from orca_daemon.cli.output import FORMAT
from orca_daemon.local.layout import QUEUES
from orca_daemon.local.state import StateDirectory
from orca_daemon.producer import OrcaStatus, send
from tests.end_to_end.messages import new_job, update
from tests.waiting import PATIENCE, until

KEYS = {
    "aws_endpoint_url",
    "sqs_endpoint_url",
    "database_url",
    "http_url",
    "console_url",
    "queues",
    "buckets",
    "environment",
}
Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A function that starts `orca-daemon local` with these arguments in the test's directory."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        program = [sys.executable, "-m", "orca_daemon", "local", *arguments]
        process = subprocess.Popen(
            program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_the_data_of_a_directory_survives_a_restart(run: Run, tmp_path: Path) -> None:
    process = run("--state", "state", "--json")
    stack = _read_stack(process, tmp_path / "state")
    assert set(stack) == KEYS
    with urlopen(stack["console_url"], timeout=PATIENCE) as page:  # noqa: S310  our own address
        assert (page.status, b"status_update" in page.read()) == (200, True)
    password = urlsplit(stack["database_url"]).password
    assert password
    assert set(stack["buckets"]) == {"archive", "protected", "public", "reports", "export"}
    assert set(stack["queues"]) == {*QUEUES, *(f"{name}_dead_letter" for name in QUEUES)}
    client = _client("sqs", stack)
    send(new_job("op-1", ["a.hdf"]), stack["queues"]["status_update"], client=client)
    until(lambda: _rows(stack, "SELECT status_id FROM orca.recovery_job") == [(1,)])
    _client("s3", stack).put_object(Bucket=stack["buckets"]["archive"], Key="kept", Body=b"data")
    send(update("op-2", "stray.hdf", OrcaStatus.SUCCESS), stack["queues"]["status_update"], client=client)
    process.send_signal(signal.SIGTERM)
    printed = "".join(process.communicate(timeout=PATIENCE))
    assert process.returncode == 0
    assert password not in printed
    assert set(json.loads(printed.splitlines()[0])) == {"kind", "format", *KEYS}
    assert not (tmp_path / "state" / "stack.json").exists()

    process = run("--state", "state", "--json")
    stack = _read_stack(process, tmp_path / "state")
    assert urlsplit(stack["database_url"]).password == password
    assert _rows(stack, "SELECT status_id FROM orca.recovery_job") == [(1,)]
    kept = _client("s3", stack).get_object(Bucket=stack["buckets"]["archive"], Key="kept")
    assert kept["Body"].read() == b"data"
    dead_letter_url, client = stack["queues"]["status_update_dead_letter"], _client("sqs", stack)
    until(lambda: _count(client, dead_letter_url) == 1)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0


def test_no_child_process_survives_a_parent_that_was_killed(run: Run, tmp_path: Path) -> None:
    process = run("--state", "state", "--json")
    stack = _read_stack(process, tmp_path / "state")
    _client("s3", stack).put_object(Bucket=stack["buckets"]["archive"], Key="kept", Body=b"data")
    descendants = _descendants(process.pid)
    assert len(descendants) >= 4  # Postgres, S3, SQS, the daemon
    pidfds = []
    for pid in descendants:
        with suppress(ProcessLookupError):
            pidfds.append(os.pidfd_open(pid))
    process.kill()
    process.wait()
    (tmp_path / "state" / "stack.json").unlink()  # the killed process could not remove it
    # Start the next one immediately: it must wait for children of the first that still write their state.
    stack = _read_stack(run("--state", "state", "--json"), tmp_path / "state")
    kept = _client("s3", stack).get_object(Bucket=stack["buckets"]["archive"], Key="kept")
    assert kept["Body"].read() == b"data"
    for pidfd in pidfds:
        assert select.select([pidfd], [], [], PATIENCE)[0]
        os.close(pidfd)


def test_a_second_local_stack_on_the_same_directory_is_refused(run: Run, tmp_path: Path) -> None:
    # The lock of a running stack, without the seconds that its start takes.
    first = StateDirectory(tmp_path / "state")
    second = run("--state", "state")
    _, output = second.communicate(timeout=PATIENCE)
    assert (second.returncode, "--state" in output) == (78, True)
    first.close()


def test_the_exit_flag_requires_the_demo_flag(run: Run) -> None:
    process = run("--exit")
    _, output = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "--demo" in output) == (2, True)


def test_the_stack_ends_if_one_of_its_servers_dies(run: Run, tmp_path: Path) -> None:
    process = run("--state", "state", "--json")
    stack = _read_stack(process, tmp_path / "state")
    [sqs] = [pid for pid in _children(process.pid) if "local.sqs" in _command(pid)]
    os.kill(sqs, signal.SIGKILL)
    _, output = process.communicate(timeout=2 * PATIENCE)
    assert (process.returncode, "SQS ended by itself" in output) == (70, True)
    with pytest.raises(OSError, match="refused"):
        urlopen(f"{stack['http_url']}/livez", timeout=PATIENCE)  # noqa: S310  our own address


def test_a_state_path_that_is_a_file_is_refused_by_name(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    process = run("--state", "file")
    _, output = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output.splitlines()[-1]) == (
        78,
        "orca-daemon: file: File exists; name a directory that you may write to with --state",
    )


def test_an_endpoint_that_is_not_a_url_is_a_usage_error(run: Run) -> None:
    process = run("--endpoint-url", "localstack")
    _, output = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "Traceback" in output, "http://" in output) == (2, False, True)


@pytest.mark.slow
def test_the_demo_exits_with_0_and_every_step_passes(run: Run) -> None:
    process = run("--demo", "--exit", "--json")
    output, log = process.communicate(timeout=4 * PATIENCE)
    assert process.returncode == 0, log
    report = json.loads(output)
    assert (report["kind"], report["format"]) == ("local", FORMAT)
    assert [step["title"] for step in report["steps"] if not step["ok"]] == []
    assert report["steps"][0]["facts"]["objects"] >= 2000


def _read_stack(process: "subprocess.Popen[str]", state: Path) -> dict[str, Any]:
    """Wait for `stack.json` and return its content; fails if the process exits first."""
    file = state / "stack.json"
    until(lambda: file.exists() or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    stack: dict[str, Any] = json.loads(file.read_text())
    return stack


def _client(service: str, stack: dict[str, Any]) -> Any:
    endpoint = stack["sqs_endpoint_url" if service == "sqs" else "aws_endpoint_url"]
    return boto3.client(service, endpoint_url=endpoint, region_name=stack["environment"]["AWS_REGION"])


def _rows(stack: dict[str, Any], statement: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(stack["database_url"])) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def _count(client: Any, url: str) -> int:
    name = "ApproximateNumberOfMessages"
    response = client.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(response["Attributes"][name])


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def _descendants(pid: int) -> list[int]:
    """The process's children, their children and so on."""
    children = _children(pid)
    return children + [each for child in children for each in _descendants(child)]


def _children(pid: int) -> list[int]:
    """Read from /proc.  A process that has just exited has no children: those of Postgres come and go."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []
