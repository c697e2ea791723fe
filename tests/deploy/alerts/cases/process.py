"""States of the process: ended, restarting, without CPU, unable to log, draining for long."""

import signal
import time
from pathlib import Path

from tests.deploy.alerts.cases.register import case
from tests.deploy.alerts.stage import Stage
from tests.waiting import until

FROZEN = 6.0
"""Seconds for which the process gets no CPU."""


@case
def killed(stage: Stage) -> None:
    stage.start()
    stage.phase(10)
    stage.kill()
    stage.gone(10, "OrcaDaemonDown")
    stage.start()
    stage.phase(10)


@case
def without_a_target(stage: Stage) -> None:
    stage.start()
    stage.phase(10)
    stage.kill()
    stage.gone(10, "OrcaDaemonAbsent", target=False)
    stage.start()
    stage.phase(10)


@case
def started_again_and_again(stage: Stage) -> None:
    for life in range(5):
        stage.start(wait=False)
        stage.until(lambda now: now.value("build_info") == 1)
        stage.phase(3, *(["OrcaDaemonRestarting"] if life == 4 else []))
        stage.kill()
    stage.start()
    stage.phase(60)


@case
def stopped_by_the_scheduler_for_seconds(stage: Stage) -> None:
    stage.start()
    stage.phase(10)

    def throttled() -> None:
        stage.signal(signal.SIGSTOP)
        began = time.monotonic()
        until(lambda: time.monotonic() - began > FROZEN)
        stage.signal(signal.SIGCONT)
        stage.until(lambda now: now.value("event_loop_lag_seconds_count") > 0)

    stage.phase(15, "OrcaDaemonLoopLag", between=throttled)
    stage.phase(15)


@case
def logging_to_a_full_disk(stage: Stage) -> None:
    written = stage.deployment.log
    stage.deployment.log = Path("/dev/full")
    try:
        stage.start(ORCA_LOG__LEVEL="debug")
    finally:
        stage.deployment.log = written
    stage.jobs(5)
    stage.until(lambda now: now.value("log_lines_dropped_total") > 0)
    stage.phase(15, "OrcaDaemonLogLinesDropped", between=lambda: stage.jobs(5))


@case
def draining_for_long(stage: Stage) -> None:
    stage.start("handler hangs", ORCA_ENGINE__DRAIN_SECONDS="600")
    stage.phase(5)
    stage.jobs(1)
    stage.until(lambda now: now.value("messages_held", state="running") > 0)
    stage.daemon._process.terminate()  # type: ignore[union-attr]
    stage.until(lambda now: now.value("draining") == 1)
    stage.phase(7)
    stage.phase(3, "OrcaDaemonDrainSlow")
    stage.kill()
