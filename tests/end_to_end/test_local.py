"""`orca-daemon local` as a process: what it publishes, what it keeps, and that it leaves nothing behind."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pytest

from orca_daemon.producer import OrcaStatus, send
from tests.end_to_end.conftest import PATIENCE
from tests.end_to_end.messages import new_job, update

KEYS = {
    "aws_endpoint_url",
    "sqs_endpoint_url",
    "database_url",
    "http_url",
    "queues",
    "buckets",
    "environment",
}
Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts `orca-daemon local` on the test's directory, with these arguments."""
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
    stack = _published(process, tmp_path / "state")
    assert set(stack) == KEYS
    assert set(stack["buckets"]) == {"archive", "protected", "public", "reports", "export"}
    queues = {"status_update", "recovery", "internal_report"}
    assert set(stack["queues"]) == queues | {f"{name}_dead_letter" for name in queues}
    client = _client("sqs", stack)
    send(new_job("op-1", ["a.hdf"]), stack["queues"]["status_update"], client=client)
    _until(lambda: _rows(stack, "SELECT status_id FROM orca.recovery_job"), [(1,)])
    _client("s3", stack).put_object(Bucket=stack["buckets"]["archive"], Key="kept", Body=b"data")
    send(update("op-2", "stray.hdf", OrcaStatus.SUCCESS), stack["queues"]["status_update"], client=client)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert not (tmp_path / "state" / "stack.json").exists()

    process = run("--state", "state", "--json")
    stack = _published(process, tmp_path / "state")
    assert _rows(stack, "SELECT status_id FROM orca.recovery_job") == [(1,)]
    kept = _client("s3", stack).get_object(Bucket=stack["buckets"]["archive"], Key="kept")
    assert kept["Body"].read() == b"data"
    letters, client = stack["queues"]["status_update_dead_letter"], _client("sqs", stack)
    _until(lambda: _count(client, letters), 1)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0


def test_nothing_survives_a_parent_that_was_killed(run: Run, tmp_path: Path) -> None:
    process = run("--state", "state", "--json")
    stack = _published(process, tmp_path / "state")
    _client("s3", stack).put_object(Bucket=stack["buckets"]["archive"], Key="kept", Body=b"data")
    family = _descendants(process.pid)
    assert len(family) >= 4  # Postgres, S3, SQS, the daemon
    watched = [os.pidfd_open(pid) for pid in family]
    process.kill()
    for one in watched:
        assert select.select([one], [], [], PATIENCE)[0]
        os.close(one)
    (tmp_path / "state" / "stack.json").unlink()  # the killed one's, which nobody took back
    stack = _published(run("--state", "state", "--json"), tmp_path / "state")
    kept = _client("s3", stack).get_object(Bucket=stack["buckets"]["archive"], Key="kept")
    assert kept["Body"].read() == b"data"


def test_a_second_one_on_the_same_directory_is_refused(run: Run, tmp_path: Path) -> None:
    _published(run("--state", "state", "--json"), tmp_path / "state")
    second = run("--state", "state")
    _, said = second.communicate(timeout=PATIENCE)
    assert (second.returncode, "--state" in said) == (78, True)


def test_exit_needs_the_demo(run: Run) -> None:
    process = run("--exit")
    _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "--demo" in said) == (2, True)


@pytest.mark.slow
def test_the_demo_ends_as_it_should(run: Run) -> None:
    process = run("--demo", "--exit", "--json")
    told, said = process.communicate(timeout=4 * PATIENCE)
    assert process.returncode == 0, said
    story = json.loads(told)
    assert [step["title"] for step in story["steps"] if not step["ok"]] == []
    assert story["steps"][0]["facts"]["objects"] >= 2000


def _published(process: "subprocess.Popen[str]", state: Path) -> dict[str, Any]:
    """What `stack.json` says, as soon as it is there."""
    file = state / "stack.json"
    deadline = time.monotonic() + PATIENCE
    while not file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    stack: dict[str, Any] = json.loads(file.read_text())
    return stack


def _client(service: str, stack: dict[str, Any]) -> Any:
    where = stack["sqs_endpoint_url" if service == "sqs" else "aws_endpoint_url"]
    return boto3.client(service, endpoint_url=where, region_name=stack["environment"]["AWS_REGION"])


def _rows(stack: dict[str, Any], statement: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(stack["database_url"])) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def _count(client: Any, url: str) -> int:
    name = "ApproximateNumberOfMessages"
    answer = client.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(answer["Attributes"][name])


def _until(ask: Callable[[], object], expected: object) -> None:
    deadline = time.monotonic() + PATIENCE
    while (found := ask()) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def _descendants(pid: int) -> list[int]:
    """All processes below this one, from what the kernel lists."""
    children = [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [below for child in children for below in _descendants(child)]
