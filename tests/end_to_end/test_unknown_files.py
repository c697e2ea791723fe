"""Updates for files that no `new_job` has named.

In ORCA's one group they are dead-lettered, because a later message cannot name the file; elsewhere they wait.
"""

from dataclasses import replace
from urllib.request import urlopen

from orca_daemon.producer import OrcaStatus
from tests.end_to_end.conftest import Deployment
from tests.end_to_end.messages import new_job, update

STATES = "SELECT job_id, status_id FROM orca.recovery_job ORDER BY 1"


def test_an_update_for_an_unknown_file_in_orcas_one_group_is_dead_lettered_at_once(
    deployment: Deployment,
) -> None:
    deployment.start()
    deployment.send("status_update", update("op-1", "a.hdf", OrcaStatus.SUCCESS))
    deployment.send("status_update", new_job("op-2", ["a.hdf"]))
    [dead_letter] = deployment.dead_letters("status_update", 1)
    assert dead_letter.evidence["reason"] == "no new_job has named this file"
    deployment.await_rows([("op-2", 1)], STATES)
    deployment.await_empty("status_update")


def test_an_update_for_an_unknown_file_in_another_group_waits_for_its_job(deployment: Deployment) -> None:
    daemon = deployment.start()
    early = replace(update("op-1", "a.hdf", OrcaStatus.SUCCESS), group="files")
    deployment.send("status_update", early)
    deployment.until(lambda: _attempts(daemon.url, "early") > 0, True)
    deployment.send("status_update", replace(new_job("op-1", ["a.hdf"]), group="jobs"))
    deployment.await_rows([("op-1", 4)], STATES)
    deployment.await_empty("status_update")
    assert deployment.left("status_update_dead_letter") == 0


def _attempts(url: str, outcome: str) -> float:
    """Number of attempts of status updates that ended with this outcome."""
    with urlopen(f"{url}/metrics", timeout=10) as response:  # noqa: S310  our own daemon
        lines = response.read().decode().splitlines()
    matching = [line for line in lines if f'outcome="{outcome}"' in line and 'queue="status_update"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in matching)
