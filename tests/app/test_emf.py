"""A daemon with `metrics.emf`: its log has metrics from the start to the end of the drain."""

import signal
from collections.abc import Mapping

import pytest

from tests.app.conftest import Running
from tests.waiting import until


@pytest.fixture
def extra_environment() -> Mapping[str, str]:
    return {"ORCA_METRICS__EMF": "true", "PREFIX": "prefix", "ORCA_LOG__LEVEL": "error"}


def test_the_log_has_metrics_from_the_start_to_the_drain_at_every_level(running: Running) -> None:
    running.send("no JSON", RequestMethod="new_job")
    until(lambda: running.value('messages_settled_total{outcome="dead_lettered",queue="status_update"}') == 1)
    running.signal(signal.SIGTERM)
    until(lambda: running.daemon.poll() is not None)

    lines = running.events("metrics")

    # The message that was dead-lettered has a line too, as an error.
    assert [each for each in running.log.read_text("utf-8").splitlines() if '"info"' in each] == []
    assert {line["Deployment"] for line in lines} == {"prefix"}
    process = [line for line in lines if "Up" in line]
    queue = [line for line in lines if line.get("Queue") == "status_update"]
    assert [line["Starts"] for line in process] == [1, 0]
    assert [line["DeadLettered"] for line in queue] == [0, 1]
    assert [line["NotStarted"] for line in queue] == [1, 0]
    assert 0 < process[-1]["DrainUsed"] < 1
