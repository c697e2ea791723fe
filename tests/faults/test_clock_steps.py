"""The wall clock of a daemon at work is set forwards and backwards; libfaketime steps it.

`./dev faults` sees to it that there is one.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from orca_daemon.local.daemon import Daemon
from orca_daemon.producer import OrcaStatus
from orca_daemon.wire.outgoing import Outgoing
from tests.end_to_end.conftest import Deployment
from tests.end_to_end.messages import new_job, update
from tests.faults.conftest import QUICK, SEED, events, noted, receive_as_often_as_it_takes
from tests.faults.rows import every_object_is_right, nothing_is_left
from tests.faults.skewed import Skewed, skewed
from tests.faults.workload import FILE, Workload, everything_is_accounted_for
from tests.waiting import PATIENCE

pytestmark = pytest.mark.matrix
LIBRARY = "faketime/libfaketimeMT.so.1"
FAR = (3_600, -3_600, 86_400, -40 * 86_400, 400 * 86_400, -10 * 365 * 86_400, 6 * 365 * 86_400)
"""Steps in seconds with which AWS accepts no signature."""
NEAR = (-280, -60, 60, 240, 280)
TO = {"status_update", "recovery"}


@dataclass
class Clock:
    """The wall clock of the daemon."""

    file: Path

    def step(self, seconds: int) -> None:
        """Set it to the true time and so many seconds."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self.file)  # half a file would end the daemon

    @property
    def settings(self) -> dict[str, str]:
        """What makes a daemon see it."""
        [library] = {*Path("/usr/lib").glob(f"*/{LIBRARY}"), *Path("/usr/lib").glob(LIBRARY)}
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    made = Clock(tmp_path / "clock")
    made.step(0)
    return made


@pytest.fixture
def servers(sqs_endpoint: str, aws_endpoint: str) -> Iterator[dict[str, Skewed]]:
    with ExitStack() as stack:
        urls = {"sqs": sqs_endpoint, "s3": aws_endpoint}
        yield {name: stack.enter_context(skewed(url, name)) for name, url in urls.items()}


@pytest.fixture
def daemon(deployment: Deployment, work: Workload, clock: Clock, servers: dict[str, Skewed]) -> Daemon:
    where = {"AWS_ENDPOINT_URL_SQS": servers["sqs"].url, "AWS_ENDPOINT_URL": servers["s3"].url}
    receive_as_often_as_it_takes(deployment)  # what cannot be extended comes again
    more = {"ORCA_RECOVERY__EVENT_GRACE": "60", "ORCA_LOG__LEVEL": "debug"}
    return deployment.start(**QUICK, **where, **clock.settings, **more)


def test_a_clock_that_steps_under_load_costs_nothing_but_time(
    deployment: Deployment, work: Workload, clock: Clock, servers: dict[str, Skewed], daemon: Daemon
) -> None:
    rng = random.Random(SEED)
    steps = [seconds for far in rng.sample(FAR, len(FAR)) for seconds in (far, rng.choice(NEAR))]
    with noted(lambda: f"FAULTS_SEED={SEED}: {steps}"):
        for seconds in steps:
            work.send(20)
            work.send_copies(4)
            clock.step(seconds)
            if seconds in NEAR:
                deployment.await_empty("status_update", "recovery")
            else:
                await_refusals(deployment, servers["sqs"])
            assert lives(daemon)
        clock.step(0)
        everything_is_accounted_for(work, daemon)
        every_object_is_right(work)
        nothing_is_left(deployment)
        assert lives(daemon)


@pytest.mark.parametrize("seconds", [240, -240], ids=["forwards", "backwards"])
def test_what_waits_for_its_job_waits_as_long_after_a_step(
    deployment: Deployment, work: Workload, clock: Clock, daemon: Daemon, seconds: int
) -> None:
    archive, protected = deployment.buckets["archive"], deployment.buckets["protected"]
    deployment.s3.put_object(Bucket=archive, Key="d/e.hdf", Body=b"e")
    record = {
        "eventName": "ObjectRestore:Completed",
        "s3": {"bucket": {"name": archive}, "object": {"key": "d/e.hdf"}},
    }
    deployment.send("recovery", Outgoing(body=json.dumps({"Records": [record]})))
    deployment.send("status_update", replace(update("late", FILE, OrcaStatus.SUCCESS), group="other"))
    deployment.until(lambda: set(early(deployment)) == TO, expected=True)

    clock.step(seconds)
    before = early(deployment)
    deployment.until(lambda: all(early(deployment)[queue] > before[queue] + 1 for queue in TO), expected=True)

    nothing = deployment.left("status_update_dead_letter"), deployment.left("recovery_dead_letter")
    assert (nothing, lives(daemon)) == ((0, 0), True)
    deployment.send("status_update", new_job("event", ["e.hdf"], archive=archive, destination=protected))
    deployment.send("status_update", new_job("late", [FILE]))
    ends = "SELECT job_id, status_id FROM orca.recovery_file ORDER BY job_id"
    deployment.await_rows([("event", OrcaStatus.SUCCESS), ("late", OrcaStatus.SUCCESS)], ends)
    deployment.await_empty("status_update", "recovery")
    nothing_is_left(deployment)


def lives(daemon: Daemon) -> bool:
    """Whether the process runs and says that it is alive."""
    try:
        with urlopen(f"{daemon.url}/livez", timeout=PATIENCE) as answer:  # noqa: S310  our own address
            return bool(answer.status == 200) and daemon.poll() is None
    except HTTPError as error:
        error.add_note(error.read().decode())
        raise


def early(deployment: Deployment) -> Counter[str]:
    """How often work came before what it needs, by queue."""
    return Counter(event["queue"] for event in events(deployment, "attempt.early"))


def await_refusals(deployment: Deployment, server: Skewed) -> None:
    """Return when it has refused some requests more."""
    enough = server.refused + 3
    deployment.until(lambda: server.refused >= enough, expected=True)
