"""Metrics for CloudWatch: documents of the Embedded Metric Format, and values that follow the registry."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from orca_daemon.engine.events import Cause, Settled, SettledOutcome
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import QueueFacts
from orca_daemon.engine.state import EngineState, QueueState
from orca_daemon.ops.emf.emitter import Emitter
from orca_daemon.ops.emf.lines import Identity
from orca_daemon.ops.emf.measures import MEASURES, NEEDED
from orca_daemon.ops.emf.samples import History, Samples
from orca_daemon.ops.metrics import Metrics

IDENTITY = Identity("OrcaDaemon", "prefix")
QUEUES = {"status_update": "status_update", "recovery": "recovery"}


class Daemon:
    """A registry, an emitter and a clock that a test moves."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.metrics = Metrics(QUEUES, wall=lambda: self.wall, monotonic=lambda: self.wall)
        self.written: list[str] = []
        self.emitter = Emitter(self.metrics, IDENTITY, self.written.append, lambda: self.wall)

    def minute(self) -> list[dict[str, Any]]:
        """The documents of the next minute."""
        self.wall += 60
        self.written.clear()
        self.emitter.emit()
        return [json.loads(line) for line in self.written]

    def value(self, name: str, queue: str = "status_update") -> Any:
        """A value of the next minute."""
        found = [
            document[name]
            for document in self.minute()
            if name in document and document.get("Queue", queue) == queue
        ]
        assert len(found) == 1
        return found[0]

    def settled(self, outcome: SettledOutcome, cause: Cause | None = None) -> None:
        """A message of the queue `status_update` was settled."""
        envelope = Envelope(id="m", body="", receipt="r")
        self.metrics.observe(
            Settled(
                queue="status_update",
                envelope=envelope,
                outcome=outcome,
                attempts=0,
                held_seconds=1.0,
                work_seconds=1.0,
                lease_left=1.0,
                cause=cause,
            )
        )

    def shows(self, **queue: Any) -> None:
        """Set the state of the queue `status_update`."""
        state = QueueState(name="status_update", handler="status_update", permits_free=5, age_limit=10.0)
        made = EngineState(queues=(QueueState(**{**_fields(state), **queue}),))
        self.metrics.watch(lambda: made)


def _fields(state: QueueState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in state.__dataclass_fields__}


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


def test_a_document_is_what_the_specification_asks_for(daemon: Daemon) -> None:
    daemon.metrics.reconcile.show("archive", 1.0, {"phantom": 2, "orphan": 0, "mismatch": 0})

    documents = daemon.minute()

    assert [{**document, "_aws": None} for document in documents][-1] == {
        "event": "metrics",
        "_aws": None,
        "Deployment": "prefix",
        "Bucket": "archive",
        "Phantoms": 2,
        "ReportAge": 1_000_059,
    }
    for document in documents:
        metadata = document["_aws"]
        (directive,) = metadata["CloudWatchMetrics"]
        assert metadata["Timestamp"] == 1_000_060_000
        assert directive["Namespace"] == "OrcaDaemon"
        named = {name for dimensions in directive["Dimensions"] for name in dimensions}
        assert all(isinstance(document[name], str) for name in named)
        values = [document[metric["Name"]] for metric in directive["Metrics"]]
        assert all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        assert document.keys() == {"event", "_aws", *named} | {each["Name"] for each in directive["Metrics"]}


def test_there_is_a_document_for_the_process_and_one_for_each_queue(daemon: Daemon) -> None:
    assert [document.get("Queue") for document in daemon.minute()] == [None, "recovery", "status_update"]


def test_every_sample_that_a_metric_is_read_from_exists(daemon: Daemon) -> None:
    daemon.metrics.reconcile.show("archive", 1.0, {"phantom": 0, "orphan": 0, "mismatch": 0})
    daemon.metrics.queues.configured("recovery", QueueFacts(fifo=False, visibility=1.0))

    found = Samples.of(daemon.metrics.registry, NEEDED, 0.0)

    assert [name for name, samples in found.series.items() if not samples] == []


def test_metrics_read_no_other_samples() -> None:
    class Asked(dict[str, Any]):
        def get(self, name: str, _: Any = None) -> Any:
            asked.add(name)
            return [({"le": "1", "queue": "q", "bucket": "b", "dependency": "s3"}, 1.0)]

        def values(self) -> Any:
            return [[({"le": "1"}, 1.0)]]

    asked: set[str] = set()
    history = History((Samples(0.0, Asked()), Samples(60.0, Asked())))
    for measure in MEASURES:
        measure.read(history, "q")

    assert asked <= set(NEEDED)


def test_counters_are_told_as_what_came_since_the_last_line(daemon: Daemon) -> None:
    daemon.settled(SettledOutcome.DEAD_LETTERED, Cause.REJECTED)
    daemon.settled(SettledOutcome.DEAD_LETTERED, Cause.REJECTED)
    assert daemon.value("DeadLettered") == 2
    assert daemon.value("DeadLettered") == 0
    daemon.settled(SettledOutcome.LEASE_LOST)
    assert daemon.value("LeasesLost") == 1


def test_the_first_line_of_a_process_counts_a_start(daemon: Daemon) -> None:
    assert [(daemon.value("Starts"), daemon.value("Up")) for _ in range(2)] == [(1, 1), (0, 1)]


def test_a_quantile_is_that_of_the_last_five_minutes(daemon: Daemon) -> None:
    for _ in range(100):
        daemon.metrics.database.wait.observe(3.0)
    assert daemon.value("PoolWait") == pytest.approx(4.97)
    assert [daemon.value("PoolWait") for _ in range(5)][3:] == [pytest.approx(4.97), 0]
    daemon.metrics.database.wait.observe(100.0)
    assert daemon.value("PoolWait") == 10


def test_a_queue_that_was_read_before_is_late_unless_it_need_not_be_read(daemon: Daemon) -> None:
    daemon.metrics.work.last_poll.labels("status_update").set(daemon.wall)
    daemon.shows()
    assert [daemon.value("ReceiveAge") for _ in range(2)] == [60, 120]
    daemon.shows(permits_free=0)
    assert daemon.value("ReceiveAge") == 0
    daemon.metrics.watch(
        lambda: EngineState(paused=True, queues=(QueueState(name="status_update", handler="h"),))
    )
    assert (daemon.value("ReceiveAge"), daemon.value("Paused")) == (0, 1)


def test_a_paused_queue_uses_up_the_retention_of_its_oldest_message(daemon: Daemon) -> None:
    daemon.metrics.steering.retention.labels("status_update").set(600)
    assert daemon.value("PausedRetentionUsed") == 0
    daemon.metrics.steering.oldest.labels("status_update").set(daemon.wall)
    assert [daemon.value("PausedRetentionUsed") for _ in range(2)] == [0.1, 0.2]


def test_a_message_is_overdue_once_its_attempt_took_longer_than_it_may(daemon: Daemon) -> None:
    daemon.shows(oldest_held=daemon.wall)
    assert [daemon.value("MessageOverdue") for _ in range(2)] == [50, 110]
    daemon.shows(oldest_held=daemon.wall, unproven_since=daemon.wall)
    assert (daemon.value("MessageOverdue"), daemon.value("UnprovenWait")) == (0, 120)


@pytest.mark.parametrize("first", [True, False], ids=["the first minute", "a later minute"])
async def test_a_minute_that_fails_is_left_out_and_the_next_one_is_written(
    first: bool,  # noqa: FBT001  a case
    daemon: Daemon,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orca_daemon.ops.emf.emitter.SECONDS", 0.001)
    refresh, left = daemon.metrics.refresh, [0 if first else 1]
    written = asyncio.Event()

    def fails_once() -> None:
        left[0] -= 1
        if left[0] == -1:
            raise RuntimeError
        refresh()

    def put(_: str) -> None:
        if left[0] < -1:
            written.set()

    daemon.metrics.refresh = fails_once  # type: ignore[method-assign]
    daemon.emitter._put = put
    async with daemon.emitter.emitting():
        await asyncio.wait_for(written.wait(), 20)


def test_what_is_out_of_date_is_told_by_its_age(daemon: Daemon) -> None:
    told: list[tuple[str, Callable[[], None], float]] = [
        ("RecoveryAge", lambda: daemon.metrics.recovery.set_counts({}, daemon.wall - 40, daemon.wall), 100),
        ("RecoveriesUnread", lambda: daemon.metrics.recovery.start_reading(daemon.wall), 60),
        ("RestoreAge", lambda: daemon.metrics.restores.set_counts({}, daemon.wall - 5, 0, daemon.wall), 5),
    ]
    for name, change, expected in told:
        change()
        assert daemon.value(name) == expected
