"""Health: liveness and readiness for each state of the engine."""

from dataclasses import replace

import pytest

from orca_daemon.engine.state import EngineState, QueueState
from orca_daemon.ops.health import HealthLimits, StartWait, holds, liveness, readiness

NOW = 10_000.0
LIMITS = HealthLimits.of(wait=10)
QUEUE = QueueState(
    name="recovery", handler="recovery", last_poll_success=NOW - 5, poller_moved=NOW - 5, age_limit=300
)
WELL = EngineState(started_at=NOW - 1000, queues=(QUEUE,), breakers={"postgres": None})


def with_queue(**changes: object) -> EngineState:
    return replace(WELL, queues=(replace(QUEUE, **changes),))  # type: ignore[arg-type]  # changes of any field


def live(state: EngineState, loop_lag: float = 0.0) -> bool:
    return holds(liveness(state, LIMITS, now=NOW, loop_lag=loop_lag))


def failing(state: EngineState) -> list[str]:
    return [check.name for check in readiness(state, LIMITS, now=NOW) if not check.ok]


def test_a_working_engine_is_live_and_ready() -> None:
    assert live(WELL)
    assert failing(WELL) == []


@pytest.mark.parametrize(
    "state",
    [
        EngineState(),
        replace(WELL, draining=True, queues=(replace(QUEUE, poller_moved=0.0),)),
        replace(WELL, paused=True, queues=(replace(QUEUE, poller_moved=0.0),)),
        replace(WELL, breakers={"postgres": NOW - 3600.0}),
        with_queue(poller_moved=0.0, breaker_open=True),
        with_queue(
            poller_moved=0.0, waiting_for_permits=True, at_work_since=NOW - 299, oldest_held=NOW - 9e4
        ),
    ],
    ids=["starting", "draining", "paused", "database down", "queue's breaker open", "all in flight"],
)
def test_liveness_holds_where_a_restart_would_not_help(state: EngineState) -> None:
    assert live(state)


@pytest.mark.parametrize(
    "state",
    [
        with_queue(poller_moved=NOW - LIMITS.poll_cycle - 1),
        with_queue(poller_moved=None, last_poll_success=None),
        with_queue(poller_moved=0.0, waiting_for_permits=True, at_work_since=NOW - 2000),
    ],
    ids=["dead poller", "poller that never began", "stuck handler"],
)
def test_liveness_fails_where_a_restart_helps(state: EngineState) -> None:
    assert not live(state)


def test_a_loop_that_lags_is_not_live() -> None:
    assert not live(WELL, loop_lag=5.1)


@pytest.mark.parametrize(
    ("state", "names"),
    [
        (EngineState(), ["started"]),
        (replace(WELL, draining=True), ["draining"]),
        (replace(WELL, paused=True), ["paused"]),
        (replace(WELL, breakers={"postgres": NOW - 1}), ["dependency:postgres"]),
        (replace(WELL, breakers={"postgres": None, "s3": NOW - 1}), ["dependency:s3"]),
        (with_queue(last_poll_success=NOW - 121), ["queue:recovery"]),
        (with_queue(last_poll_success=None), ["queue:recovery"]),
        (with_queue(last_poll_success=NOW - 500, waiting_for_permits=True), []),
    ],
)
def test_readiness_names_what_is_missing(state: EngineState, names: list[str]) -> None:
    assert names == failing(state)


def test_readiness_names_the_places_that_are_down() -> None:
    state = replace(WELL, breakers={"s3": NOW - 60}, places_down={"s3": ("read a", "write b")})

    [check] = [check for check in readiness(state, LIMITS, now=NOW) if check.name == "dependency:s3"]

    assert check.detail == "down for 60 s: read a, write b"


def test_a_start_that_waits_says_for_what_and_why() -> None:
    wait = StartWait("the database", NOW - 12)
    sentences = [
        readiness(EngineState(), LIMITS, now=NOW, start_wait=waiting)[0].detail
        for waiting in (None, wait, replace(wait, reason="Connection refused"))
    ]
    assert sentences == [
        "still starting",
        "the start waits for the database for 12 s",
        "the start waits for the database for 12 s: Connection refused",
    ]
