"""Two daemons on the same queues, killed, terminated, stopped and continued at random: every row is right.

FAULTS_SEED repeats a history of signals, FAULTS_SECONDS says how long the long form disturbs.
"""

import os
from contextlib import closing

import pytest

from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import QUICK, SEED, noted, receive_as_often_as_it_takes
from tests.faults.fleet import Fleet
from tests.faults.rows import every_object_is_right, every_row_is_right, nothing_is_left
from tests.faults.workload import Workload, everything_is_accounted_for

SHORT = 20.0
LONG = float(os.environ.get("FAULTS_SECONDS", "180"))
GROUPS = 25


@pytest.mark.slow
@pytest.mark.parametrize(
    "seconds", [SHORT, pytest.param(LONG, marks=pytest.mark.matrix)], ids=["short", "long"]
)
def test_two_daemons_that_are_disturbed_at_random_leave_every_row_as_it_must_be(
    deployment: Deployment, work: Workload, seconds: float
) -> None:
    # A daemon that was stopped in a transaction may commit it after another one did the same work and more:
    # only times tell then which update is the later.
    work.others, work.apart = GROUPS, 1.0
    receive_as_often_as_it_takes(deployment)
    fleet = Fleet(deployment, QUICK)

    def stream() -> None:
        work.send(3)
        if len(work.walks) % 4 == 0:
            work.send_copies(1)

    with noted(lambda: f"FAULTS_SEED={SEED}: {fleet.history}"), closing(fleet):
        fleet.disturb(seconds, SEED, stream)
        daemons = fleet.calm()
        for daemon in daemons:
            everything_is_accounted_for(work, daemon)
        every_row_is_right(work)
        every_object_is_right(work)
        nothing_is_left(deployment)
