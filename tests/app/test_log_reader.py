"""A daemon whose log is not read: it works, answers and drains, and logs later how many lines it dropped."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from orca_daemon.local.daemon import foreign_removed
from tests.app.conftest import DaemonSetup
from tests.waiting import PATIENCE, until

PIPE = 4096
CAPACITY = 16_384
PROGRAM = f"""
from orca_daemon.ops import log_writer
log_writer.CAPACITY = {CAPACITY}
from orca_daemon.__main__ import main
main()
"""


@pytest.fixture
def unread(prepared: DaemonSetup) -> Iterator["subprocess.Popen[bytes]"]:
    """A ready daemon that writes its log to a small pipe, with a small buffer."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**foreign_removed(os.environ), **prepared.environment},
    )
    assert process.stdout
    fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, PIPE)
    until(lambda: answers(prepared, "/readyz"))
    yield process
    process.kill()
    process.communicate()


def answers(prepared: DaemonSetup, path: str) -> bool:
    try:
        with urlopen(f"{prepared.url}{path}", timeout=PATIENCE) as answer:  # noqa: S310  our own address
            return bool(answer.status == 200)
    except HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def value(prepared: DaemonSetup, series: str) -> float:
    with urlopen(f"{prepared.url}/metrics", timeout=PATIENCE) as answer:  # noqa: S310  our own address
        lines = answer.read().decode().splitlines()
    return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"orca_daemon_{series} "))


def fill(process: "subprocess.Popen[bytes]", prepared: DaemonSetup) -> None:
    """Make it log until lines are dropped."""

    def full() -> bool:
        process.send_signal(signal.SIGUSR1)
        return value(prepared, "log_lines_dropped_total") > 0

    until(full)


def send(prepared: DaemonSetup) -> None:
    prepared.sqs.send_message(
        QueueUrl=prepared.queue,
        MessageBody="no JSON",
        MessageGroupId="g",
        MessageDeduplicationId=os.urandom(8).hex(),
        MessageAttributes={"RequestMethod": {"DataType": "String", "StringValue": "new_job"}},
    )


def test_work_continues_and_the_gap_is_logged_when_reading_resumes(
    unread: "subprocess.Popen[bytes]", prepared: DaemonSetup
) -> None:
    fill(unread, prepared)
    send(prepared)
    until(
        lambda: value(prepared, 'messages_settled_total{outcome="dead_lettered",queue="status_update"}') == 1
    )
    assert answers(prepared, "/livez")

    found: list[dict[str, Any]] = []
    reading = threading.Thread(target=read, args=(unread, found))
    reading.start()
    until(lambda: any(line["event"] == "log.lines_dropped" for line in found))
    unread.terminate()
    reading.join(PATIENCE)
    assert unread.wait(PATIENCE) == 0
    events = [line["event"] for line in found]
    assert events.index("ready") < events.index("log.lines_dropped") < events.index("stopped")


def test_a_drain_ends_even_if_the_log_is_not_read(
    unread: "subprocess.Popen[bytes]", prepared: DaemonSetup
) -> None:
    fill(unread, prepared)
    unread.terminate()
    assert unread.wait(PATIENCE) == 0


def read(process: "subprocess.Popen[bytes]", found: list[dict[str, Any]]) -> None:
    assert process.stdout
    for line in process.stdout:
        found.append(json.loads(line))  # noqa: PERF401  the test watches the list grow
