"""Two daemons on the same queues get SIGKILL, SIGTERM, SIGSTOP, SIGCONT at random: every row is correct.

FAULTS_SEED repeats the signals of an earlier run; FAULTS_SECONDS sets the duration of the long variant.
"""

import os
from contextlib import closing

import pytest

from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import QUICK, SEED, noted, receive_as_often_as_it_takes
from tests.faults.fleet import Fleet
from tests.faults.rows import every_object_is_right, every_row_is_right, nothing_is_left
from tests.faults.workload import Workload, everything_is_accounted_for

SHORT = 12.0
LONG = float(os.environ.get("FAULTS_SECONDS", "180"))
GROUPS = 25


@pytest.mark.slow
@pytest.mark.parametrize(
    "seconds", [SHORT, pytest.param(LONG, marks=pytest.mark.matrix)], ids=["short", "long"]
)
def test_two_daemons_that_get_random_signals_leave_every_row_correct(
    deployment: Deployment, work: Workload, seconds: float
) -> None:
    # A daemon that was stopped inside a transaction may commit it after another daemon has committed this
    # update and later ones.  Then only different times show which update is the later one, hence the gap.
    work.other_groups, work.update_gap = GROUPS, 1.0
    receive_as_often_as_it_takes(deployment)
    fleet = Fleet(deployment, QUICK)

    def send_more() -> None:
        work.send(3)
        if len(work.statuses) % 4 == 0:
            work.send_copies(1)

    with noted(lambda: f"FAULTS_SEED={SEED}: {fleet.history}"), closing(fleet):
        fleet.disturb(seconds, SEED, send_more)
        daemons = fleet.settle()
        for daemon in daemons:
            everything_is_accounted_for(work, daemon)
        every_row_is_right(work)
        every_object_is_right(work)
        nothing_is_left(deployment)
