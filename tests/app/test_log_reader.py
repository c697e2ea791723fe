"""A daemon whose log nobody reads: it works, answers and drains, and says afterwards what is missing."""

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
from tests.app.conftest import Surroundings
from tests.waiting import PATIENCE, until

PIPE = 4096
ROOM = 16_384
PROGRAM = f"""
from orca_daemon.ops import log_writer
log_writer.ROOM = {ROOM}
from orca_daemon.__main__ import main
main()
"""


@pytest.fixture
def unread(place: Surroundings) -> Iterator["subprocess.Popen[bytes]"]:
    """A daemon that writes to a small pipe, and has room for little; it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**foreign_removed(os.environ), **place.environment},
    )
    assert process.stdout
    fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, PIPE)
    until(lambda: answers(place, "/readyz"))
    yield process
    process.kill()
    process.communicate()


def answers(place: Surroundings, path: str) -> bool:
    try:
        with urlopen(f"{place.url}{path}", timeout=PATIENCE) as answer:  # noqa: S310  our own address
            return bool(answer.status == 200)
    except HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def value(place: Surroundings, series: str) -> float:
    with urlopen(f"{place.url}/metrics", timeout=PATIENCE) as answer:  # noqa: S310  our own address
        lines = answer.read().decode().splitlines()
    return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"orca_daemon_{series} "))


def fill(process: "subprocess.Popen[bytes]", place: Surroundings) -> None:
    """Have it log until lines are dropped."""

    def full() -> bool:
        process.send_signal(signal.SIGUSR1)
        return value(place, "log_lines_dropped_total") > 0

    until(full)


def send(place: Surroundings) -> None:
    place.sqs.send_message(
        QueueUrl=place.queue,
        MessageBody="no JSON",
        MessageGroupId="g",
        MessageDeduplicationId=os.urandom(8).hex(),
        MessageAttributes={"RequestMethod": {"DataType": "String", "StringValue": "new_job"}},
    )


def test_work_goes_on_and_the_gap_is_named_when_reading_does(
    unread: "subprocess.Popen[bytes]", place: Surroundings
) -> None:
    fill(unread, place)
    send(place)
    until(lambda: value(place, 'messages_settled_total{outcome="dead_lettered",queue="status_update"}') == 1)
    assert answers(place, "/livez")

    found: list[dict[str, Any]] = []
    reading = threading.Thread(target=read, args=(unread, found))
    reading.start()
    until(lambda: any(line["event"] == "log.lines_dropped" for line in found))
    unread.terminate()
    reading.join(PATIENCE)
    assert unread.wait(PATIENCE) == 0
    events = [line["event"] for line in found]
    assert events.index("ready") < events.index("log.lines_dropped") < events.index("stopped")


def test_a_drain_ends_though_nobody_reads(unread: "subprocess.Popen[bytes]", place: Surroundings) -> None:
    fill(unread, place)
    unread.terminate()
    assert unread.wait(PATIENCE) == 0


def read(process: "subprocess.Popen[bytes]", found: list[dict[str, Any]]) -> None:
    assert process.stdout
    for line in process.stdout:
        found.append(json.loads(line))  # noqa: PERF401  line by line: the test looks on
