"""Metrics: every series exists from the start, no event adds one, and the numbers are those of the events."""

import random
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from orca_daemon.engine.events import (
    Attempted,
    Cause,
    Drain,
    DrainPhase,
    Event,
    Extended,
    NotificationAbandoned,
    Polled,
    PollOutcome,
    Settled,
    SettledOutcome,
    SettlementFailed,
)
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.state import EngineState, QueueState
from orca_daemon.ops.metrics import Metrics
from orca_daemon.ops.metrics.labels import PREFIX
from orca_daemon.ops.metrics.messages import EXTENSIONS, OPERATIONS, OUTCOMES
from orca_daemon.ops.metrics.work import ATTEMPTS, POLLS

QUEUES = {"status_update": "status_update", "archive_recovery": "recovery"}


def series(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return series(metrics)[f"{PREFIX}_{name}", frozenset(labels.items())]


def varied_events(rng: random.Random) -> Iterator[Event]:
    for number in range(500):
        queue = rng.choice(tuple(QUEUES))
        envelope = Envelope(
            id=f"id-{number}", receipt="r", body="{}", group=f"g-{number}", sent_at=float(number)
        )
        yield Polled(queue, rng.choice(POLLS), (envelope,), f"reason {number}")
        yield Attempted(queue, (envelope,), 1, rng.random() * 100, ValueError(number), rng.choice(ATTEMPTS))
        yield Settled(
            queue,
            envelope,
            rng.choice(OUTCOMES),
            f"why {number}",
            facts={"job_id": str(number)},
            cause=Cause.REJECTED,
        )
        yield Extended(queue, rng.choice(EXTENSIONS), 3)
        yield SettlementFailed(queue, rng.choice(OPERATIONS), 1, f"oops {number}")
    yield Drain(DrainPhase.STARTED, 1, 1)
    yield Drain(DrainPhase.FINISHED, 0, 0, 2.5)


def test_no_series_is_added_by_a_varied_workload() -> None:
    metrics = Metrics(QUEUES, operations=["sqs:ReceiveMessage"])
    before = set(series(metrics))

    for event in varied_events(random.Random(8)):
        metrics.observe(event)
    metrics.aws.called("s3:SomethingUnheardOf", "error", 1.0)

    assert before == set(series(metrics))


def test_labels_never_contain_data_of_a_message() -> None:
    metrics = Metrics(QUEUES)
    for event in varied_events(random.Random(9)):
        metrics.observe(event)

    text = metrics.exposition().decode()

    assert not [leak for leak in ("id-", "g-1", "why ", "oops", "job") if leak in text]


def test_received_minus_settled_is_held() -> None:
    metrics = Metrics(QUEUES)
    envelopes = tuple(Envelope(id=str(number), receipt="", body="") for number in range(3))
    metrics.observe(Polled("status_update", PollOutcome.MESSAGES, envelopes))
    metrics.observe(Settled("status_update", envelopes[0], SettledOutcome.DELETED))

    received = value(metrics, "messages_received_total", queue="status_update")
    deleted = value(metrics, "messages_settled_total", queue="status_update", outcome=SettledOutcome.DELETED)

    assert (received, deleted) == (3, 1)


def test_a_failed_poll_does_not_freshen_the_time_of_the_last_good_one() -> None:
    metrics = Metrics(QUEUES, wall=lambda: 1000.0)
    metrics.observe(Polled("status_update", PollOutcome.ERROR))

    assert value(metrics, "last_poll_success_timestamp_seconds", queue="status_update") == 0
    metrics.observe(Polled("status_update", PollOutcome.EMPTY))
    assert value(metrics, "last_poll_success_timestamp_seconds", queue="status_update") == 1000


@pytest.mark.parametrize("reason", list(Cause))
def test_a_dead_letter_counts_under_its_cause(reason: Cause) -> None:
    metrics = Metrics(QUEUES)
    envelope = Envelope(id="1", receipt="", body="")

    metrics.observe(
        Settled("status_update", envelope, SettledOutcome.DEAD_LETTERED, "granule g1", cause=reason)
    )

    assert value(metrics, "dlq_messages_total", queue="status_update", reason=reason) == 1


def test_a_notification_that_was_abandoned_is_counted() -> None:
    metrics = Metrics(QUEUES)
    assert value(metrics, "notifications_abandoned_total", queue="archive_recovery") == 0

    envelope = Envelope(id="1", receipt="", body="")
    metrics.observe(NotificationAbandoned("archive_recovery", envelope, "KeyError at closing.py:7"))

    assert value(metrics, "notifications_abandoned_total", queue="archive_recovery") == 1


def test_gauges_are_read_off_the_engine_at_each_scrape() -> None:
    metrics = Metrics(QUEUES, wall=lambda: 5000.0, monotonic=lambda: 100.0)
    queue = QueueState(
        name="status_update",
        handler="status_update",
        held=5,
        running=2,
        settling=1,
        oldest_held=40.0,
        unproven_since=70.0,
    )
    state = EngineState(started_at=1.0, paused=True, queues=(queue,), breakers={"postgres": 90.0, "s3": None})

    metrics.watch(lambda: state)

    assert value(metrics, "messages_held", queue="status_update", state="queued") == 2
    assert value(metrics, "oldest_held_timestamp_seconds", queue="status_update") == 4940
    assert value(metrics, "unproven_wait_timestamp_seconds", queue="status_update") == 4970
    assert value(metrics, "breaker_open", dependency="postgres") == 1
    assert value(metrics, "dependency_up", dependency="s3") == 1
    assert value(metrics, "queue_paused", queue="status_update") == 1
