"""The metrics that alarms of CloudWatch need, each a function of the last minutes of the registry.

CloudWatch cannot join metrics as Prometheus does, so the conditions of an alert (`unless the database is
down`) are part of the value here.  0 is the good state of all but `Up`.  deploy/cloudwatch/alarms.json has an
alarm for each.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from orca_daemon.ops.emf.samples import History, Samples

WINDOW = 5
"""Minutes over which rates and quantiles are taken, as in deploy/prometheus/alerts.yml."""
GIVING_UP = ("dead_letter", "gave_up")
"""The operations of a settlement that fail if a message cannot be dead-lettered."""
FAILURES = ("failed", "expired", "refused")
"""The classes of errors that are charged to a message."""


class Unit(StrEnum):
    """Units of CloudWatch."""

    COUNT = "Count"
    SECONDS = "Seconds"
    NONE = "None"


class Of(StrEnum):
    """What a metric has a value for; the value is the name of its dimension."""

    PROCESS = ""
    QUEUE = "Queue"
    BUCKET = "Bucket"


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric: its name in CloudWatch, what it means, and how its value is read."""

    name: str
    of: Of
    unit: Unit
    text: str
    read: Callable[[History, str], float]
    """Gets the history, and the name of the queue or bucket."""


def _postgres_down(now: Samples) -> bool:
    return now.total("breaker_open", dependency="postgres") > 0


def _anything_down(now: Samples) -> bool:
    return now.total("breaker_open") > 0


def _last_receive(now: Samples, queue: str) -> float:
    return now.total("last_poll_success_timestamp_seconds", queue=queue)


def _paused(now: Samples, queue: str) -> bool:
    return now.total("queue_paused", queue=queue) > 0


def _age(now: Samples, timestamp: float) -> float:
    """Seconds since a Unix time; 0 if it is 0, which stands for none."""
    return max(0.0, now.wall - timestamp) if timestamp else 0.0


def _receive_age(history: History, queue: str) -> float:
    now = history.now
    excused = (
        _paused(now, queue)
        or not now.total("permits_free", queue=queue)
        or _postgres_down(now)
        or now.total("draining") > 0
    )
    return 0.0 if excused else _age(now, _last_receive(now, queue))


def _not_started(history: History, queue: str) -> float:
    now = history.now
    return float(not (_last_receive(now, queue) or _paused(now, queue) or _postgres_down(now)))


def _giving_up_failed(history: History, queue: str, minutes: int = 1) -> float:
    return sum(
        history.grown("settlement_failures_total", minutes, queue=queue, operation=each) for each in GIVING_UP
    )


def _message_overdue(history: History, queue: str) -> float:
    now = history.now
    limit = now.total("message_age_limit_seconds", queue=queue)
    excused = (
        not limit
        or _anything_down(now)
        or now.total("unproven_wait_timestamp_seconds", queue=queue)
        or _giving_up_failed(history, queue, WINDOW)
    )
    age = _age(now, now.total("oldest_held_timestamp_seconds", queue=queue))
    return 0.0 if excused else max(0.0, age - limit)


def _failed_attempts(history: History, queue: str) -> float:
    grown = (
        history.grown("handler_errors_total", WINDOW, queue=queue, error_class=each) for each in FAILURES
    )
    return sum(grown) / WINDOW


def _no_permits(history: History, queue: str) -> float:
    now = history.now
    return float(
        not now.total("permits_free", queue=queue)
        and _last_receive(now, queue) > 0
        and now.total("queue_visible_messages", queue=queue) > 0
        and not _anything_down(now)
    )


def _paused_retention_used(history: History, queue: str) -> float:
    now = history.now
    retention = now.total("queue_retention_seconds", queue=queue)
    age = _age(now, now.total("paused_queue_oldest_timestamp_seconds", queue=queue))
    return age / retention if retention else 0.0


def _drain_used(history: History, _: str) -> float:
    now = history.now
    limit = now.total("drain_limit_seconds")
    draining = now.total("draining") > 0 and limit > 0
    return _age(now, now.total("drain_started_timestamp_seconds")) / limit if draining else 0.0


def _recoveries_unread(history: History, _: str) -> float:
    now = history.now
    return 0.0 if _postgres_down(now) else _age(now, now.total("recovery_files_read_timestamp_seconds"))


def _queue_metric(name: str, **labels: str) -> Callable[[History, str], float]:
    return lambda history, queue: history.now.total(name, queue=queue, **labels)


def _queue_counter(name: str) -> Callable[[History, str], float]:
    return lambda history, queue: history.grown(name, queue=queue)


MEASURES = (
    Measure("Up", Of.PROCESS, Unit.COUNT, "1 from each daemon, once a minute.", lambda _, __: 1.0),
    Measure(
        "Starts",
        Of.PROCESS,
        Unit.COUNT,
        "1 in the first minute of a daemon, then 0.",
        lambda history, _: float(history.first),
    ),
    Measure(
        "DependencyDown",
        Of.PROCESS,
        Unit.NONE,
        "1 while a dependency, or a place of it, is down.",
        lambda history, _: float(_anything_down(history.now)),
    ),
    Measure(
        "PoolWait",
        Of.PROCESS,
        Unit.SECONDS,
        "99th percentile of the wait for a database connection, over five minutes.",
        lambda history, _: history.quantile(0.99, "db_pool_wait_seconds", WINDOW),
    ),
    Measure(
        "LoopLag",
        Of.PROCESS,
        Unit.SECONDS,
        "99th percentile of how late the event loop ran a timer, over five minutes.",
        lambda history, _: history.quantile(0.99, "event_loop_lag_seconds", WINDOW),
    ),
    Measure(
        "LogLinesDropped",
        Of.PROCESS,
        Unit.COUNT,
        "Log lines dropped since the last line of metrics.",
        lambda history, _: history.grown("log_lines_dropped_total"),
    ),
    Measure(
        "DrainUsed",
        Of.PROCESS,
        Unit.NONE,
        "Share of the drain's time limit that is used up; 0 before the drain.",
        _drain_used,
    ),
    Measure(
        "RecoveryAge",
        Of.PROCESS,
        Unit.SECONDS,
        "Age of the oldest open recovery.",
        lambda history, _: _age(history.now, history.now.total("oldest_open_recovery_timestamp_seconds")),
    ),
    Measure(
        "RecoveryFilesFailed",
        Of.PROCESS,
        Unit.COUNT,
        "Failed files of recoveries that are open or were requested within the last day.",
        lambda history, _: history.now.total("recovery_files", status="error"),
    ),
    Measure(
        "RecoveriesUnread",
        Of.PROCESS,
        Unit.SECONDS,
        "Time since the recoveries in the database were last counted; 0 while the database is down.",
        _recoveries_unread,
    ),
    Measure(
        "RestoreAge",
        Of.PROCESS,
        Unit.SECONDS,
        "Age of the oldest restore that S3 has not completed.",
        lambda history, _: history.now.total("restore_oldest_seconds"),
    ),
    Measure(
        "RestoredCopiesExpiring",
        Of.PROCESS,
        Unit.COUNT,
        "Restored copies that expire within a day and are not copied yet.",
        lambda history, _: history.now.total("restored_copies_expiring"),
    ),
    Measure(
        "ReceiveAge",
        Of.QUEUE,
        Unit.SECONDS,
        "Time since the queue was last read; 0 if it need not be (paused, full, draining, no database).",
        _receive_age,
    ),
    Measure(
        "NotStarted",
        Of.QUEUE,
        Unit.NONE,
        "1 until the queue is read for the first time.",
        _not_started,
    ),
    Measure("Paused", Of.QUEUE, Unit.NONE, "1 while the intake is paused.", _queue_metric("queue_paused")),
    Measure(
        "PausedRetentionUsed",
        Of.QUEUE,
        Unit.NONE,
        "Share of the queue's retention for which its oldest message has waited; 0 unless it is paused.",
        _paused_retention_used,
    ),
    Measure(
        "DeadLettered",
        Of.QUEUE,
        Unit.COUNT,
        "Messages dead-lettered since the last line.",
        _queue_counter("dlq_messages_total"),
    ),
    Measure(
        "DeadLetteringFailed",
        Of.QUEUE,
        Unit.COUNT,
        "Failed attempts to dead-letter a message since the last line.",
        _giving_up_failed,
    ),
    Measure(
        "NotificationsAbandoned",
        Of.QUEUE,
        Unit.COUNT,
        "Messages dead-lettered without notifying the requester since the last line.",
        _queue_counter("notifications_abandoned_total"),
    ),
    Measure(
        "WithoutDeadLetterQueue",
        Of.QUEUE,
        Unit.NONE,
        "1 if the queue has no dead-letter queue.",
        _queue_metric("queue_config_info", dead_letter="false"),
    ),
    Measure(
        "LeasesLost",
        Of.QUEUE,
        Unit.COUNT,
        "Leases lost since the last line.",
        lambda history, queue: history.grown("messages_settled_total", queue=queue, outcome="lease_lost"),
    ),
    Measure(
        "MessageOverdue",
        Of.QUEUE,
        Unit.SECONDS,
        "Seconds by which a message is in flight for longer than one attempt may take.",
        _message_overdue,
    ),
    Measure(
        "UnprovenWait",
        Of.QUEUE,
        Unit.SECONDS,
        "Time since the earliest failure at a dependency that was charged to no message.",
        lambda history, queue: _age(
            history.now, history.now.total("unproven_wait_timestamp_seconds", queue=queue)
        ),
    ),
    Measure(
        "FailedAttempts",
        Of.QUEUE,
        Unit.COUNT,
        "Failed attempts per minute, over five minutes.",
        _failed_attempts,
    ),
    Measure(
        "NoPermits",
        Of.QUEUE,
        Unit.NONE,
        "1 while messages wait and the in-flight limit is reached.",
        _no_permits,
    ),
    Measure(
        "Phantoms",
        Of.BUCKET,
        Unit.COUNT,
        "Files of the bucket's latest report that are in the catalog and not in S3.",
        lambda history, bucket: history.now.total("reconcile_differences", kind="phantom", bucket=bucket),
    ),
    Measure(
        "ReportAge",
        Of.BUCKET,
        Unit.SECONDS,
        "Time since the bucket was last compared with the catalog.",
        lambda history, bucket: _age(
            history.now,
            history.now.total("reconcile_last_success_timestamp_seconds", bucket=bucket),
        ),
    ),
)

NEEDED = (
    "breaker_open",
    "last_poll_success_timestamp_seconds",
    "queue_paused",
    "queue_retention_seconds",
    "paused_queue_oldest_timestamp_seconds",
    "permits_free",
    "draining",
    "settlement_failures_total",
    "message_age_limit_seconds",
    "unproven_wait_timestamp_seconds",
    "oldest_held_timestamp_seconds",
    "handler_errors_total",
    "queue_visible_messages",
    "drain_limit_seconds",
    "drain_started_timestamp_seconds",
    "db_pool_wait_seconds_bucket",
    "event_loop_lag_seconds_bucket",
    "log_lines_dropped_total",
    "oldest_open_recovery_timestamp_seconds",
    "recovery_files",
    "recovery_files_read_timestamp_seconds",
    "restore_oldest_seconds",
    "restored_copies_expiring",
    "dlq_messages_total",
    "notifications_abandoned_total",
    "queue_config_info",
    "messages_settled_total",
    "reconcile_differences",
    "reconcile_last_success_timestamp_seconds",
)
"""The samples that the metrics above are read from."""
