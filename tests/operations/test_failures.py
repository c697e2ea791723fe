"""Failures grouped by reason: over files, comparisons, exports and dead letters, on Postgres and SQS."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, create_engine, text

from orca_daemon.operations.errors import NotFoundError
from orca_daemon.operations.failures import FailureGroup, Failures, FailureSource, groups_since, read_failures
from orca_daemon.wire.status import RecoveryStatus
from tests.cli.conftest import connected, insert_recovery
from tests.conftest import QueuePair
from tests.operations.conftest import MakeSettings

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

FAILED, SUCCESS = RecoveryStatus.FAILED, RecoveryStatus.SUCCESS
NOW = datetime.now(UTC)
WEEK = NOW - timedelta(days=7)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connected(database_url) as connection:
        yield connection


def read(connection: Connection) -> list[FailureGroup]:
    """The groups of the last week, read in a transaction as operations do."""
    engine = create_engine(connection.engine.url)
    with engine.begin() as transaction:
        groups = groups_since(transaction, WEEK)
    engine.dispose()
    return groups


def insert_letter(connection: Connection, id_: str, queue: str, reason: str, **facts: str) -> None:
    connection.execute(
        text(
            "INSERT INTO orca.orca_daemon_dead_letter"
            " (id, original_id, queue, reason, facts, dead_lettered_at)"
            " VALUES (:id, 'm-' || :id, :queue, :reason, CAST(:facts AS jsonb), now())"
        ),
        {"id": id_, "queue": queue, "reason": reason, "facts": json.dumps(facts)},
    )


def insert_report(connection: Connection, bucket: str, error: str) -> None:
    connection.execute(
        text(
            "INSERT INTO orca.reconcile_job (orca_archive_location, status_id, inventory_creation_time,"
            " start_time, last_update, error_message) VALUES (:bucket, 4, now(), now(), now(), :error)"
        ),
        {"bucket": bucket, "error": error},
    )


def test_failures_with_a_reason_in_common_are_one_group_with_counts_times_and_an_example(
    connection: Connection,
) -> None:
    for number in range(3):
        error = f"s3://archive/d/{number}.h5 does not exist"
        insert_recovery(connection, f"j{number}", FAILED, SUCCESS, error=error, age=number)
    insert_recovery(connection, "other", FAILED, error="AccessDenied on CopyObject")
    insert_recovery(connection, "silent", FAILED)
    insert_recovery(connection, "old", FAILED, error="AccessDenied on CopyObject", age=24 * 8)
    insert_report(connection, "archive", "there is no manifest at s3://reports/a/manifest.json")
    insert_letter(connection, "d1", "recovery", "no job asked for s3://archive/d/1.h5")
    insert_letter(connection, "d2", "recovery", "no job asked for s3://archive/d/2.h5")
    insert_letter(connection, "d3", "internal_report", "the table is unknown", tables="files")

    groups = read(connection)

    shown = [(group.source, group.queue, group.count, group.reason) for group in groups]
    assert shown[:2] == [
        (FailureSource.FILES, None, 3, "s3://archive/<name> does not exist"),
        (FailureSource.DEAD_LETTERS, "recovery", 2, "no job asked for s3://archive/<name>"),
    ]
    assert sorted(shown[2:]) == [
        (FailureSource.EXPORTS, "internal_report", 1, "the table is unknown"),
        (FailureSource.FILES, None, 1, "AccessDenied on CopyObject"),
        (FailureSource.FILES, None, 1, "no reason was recorded"),
        (FailureSource.REPORTS, None, 1, "there is no manifest at s3://reports/<name>"),
    ]
    first = groups[0]
    assert (first.example, first.example_id) == ("s3://archive/d/0.h5 does not exist", "j0")
    assert (
        timedelta(hours=2) - timedelta(minutes=5) < first.last - first.first < timedelta(hours=2, minutes=5)
    )
    assert len({group.reason_id for group in groups}) == len(groups)


def test_the_id_of_a_reason_depends_neither_on_time_nor_on_the_example(connection: Connection) -> None:
    insert_recovery(connection, "a", FAILED, error="s3://archive/1.h5 does not exist", age=3)
    [before] = read(connection)
    insert_recovery(connection, "b", FAILED, error="s3://archive/2.h5 does not exist")
    [after] = read(connection)
    assert (before.reason_id, before.count, after.count) == (after.reason_id, 1, 2)


def test_a_reason_is_found_by_the_beginning_of_its_id_and_never_one_of_several(
    connection: Connection,
) -> None:
    insert_recovery(connection, "a", FAILED, error="one")
    insert_recovery(connection, "b", FAILED, error="two")
    failures = Failures(since=WEEK, groups=read(connection), queues=[])
    for group in failures.groups:
        assert failures.find(group.reason_id) == group
    for reason in ("", "zzz"):
        with pytest.raises(NotFoundError, match="nothing failed with the reason"):
            failures.find(reason)


async def test_dead_letters_without_a_record_are_counted_and_read_if_asked_for(
    connection: Connection,
    database_url: str,
    make_settings: MakeSettings,
    sqs: "SQSClient",
    queues: Callable[..., QueuePair],
) -> None:
    pair = queues()
    sent = [send_letter(sqs, pair, f"s3://archive/{number}.h5 does not exist") for number in range(3)]
    insert_letter(connection, sent[0], "recovery", "s3://archive/0.h5 does not exist")
    settings = make_settings(DATABASE_URL=database_url, RECOVERY_QUEUE_URL=pair.url)

    recorded = await read_failures(settings, WEEK)
    everything = await read_failures(settings, WEEK, most_unknown=100)

    [queue] = recorded.queues
    assert (queue.queue, queue.approximate_count, queue.recorded, queue.more) == ("recovery", 3, 1, 2)
    assert [group.count for group in recorded.groups] == [1]
    assert [group.count for group in everything.groups] == [3]
    assert recorded.groups[0].reason_id == everything.groups[0].reason_id


def send_letter(sqs: "SQSClient", pair: QueuePair, reason: str) -> str:
    attribute: Any = {"DataType": "String", "StringValue": json.dumps({"reason": reason, "error": "Reject"})}
    return sqs.send_message(
        QueueUrl=pair.dead_letter_url, MessageBody="{}", MessageAttributes={"OrcaDaemonEvidence": attribute}
    )["MessageId"]


async def test_a_database_without_the_records_and_a_queue_that_does_not_exist_hide_no_other_failure(
    connection: Connection, database_url: str, make_settings: MakeSettings, queues: Callable[..., QueuePair]
) -> None:
    connection.execute(text("DROP TABLE orca.orca_daemon_dead_letter"))
    insert_recovery(connection, "a", FAILED, error="one")
    settings = make_settings(DATABASE_URL=database_url, RECOVERY_QUEUE_URL=f"{queues().url}-missing")

    failures = await read_failures(settings, WEEK, most_unknown=10)

    assert [group.reason for group in failures.groups] == ["one"]
    assert (failures.queues[0].approximate_count, failures.queues[0].more) == (None, 0)
    assert failures.queues[0].problem is not None


@pytest.mark.matrix
def test_a_hundred_thousand_failed_files_with_as_many_texts_take_two_seconds(connection: Connection) -> None:
    insert_many(connection, 100_000)
    began = time.process_time()
    [group] = read(connection)
    assert (group.count, group.reason) == (100_000, "s3://archive/<name> does not exist")
    assert time.process_time() - began < 2


def insert_many(connection: Connection, count: int) -> None:
    jobs = """
        INSERT INTO orca.recovery_job SELECT 'j' || i / 1000, 'c', 'g' || i, 'a', 3, now(), now()
        FROM generate_series(1, :count) AS i"""
    files = """
        INSERT INTO orca.recovery_file (job_id, collection_id, granule_id, filename, key_path,
            restore_destination, status_id, error_message, request_time, last_update)
        SELECT 'j' || i / 1000, 'c', 'g' || i, 'f' || i, 'k' || i, 'd', 3,
            's3://archive/MOD09GQ___006/2017/025/MOD/MOD09GQ.A2017025.006.' || i || '.hdf does not exist',
            now(), now()
        FROM generate_series(1, :count) AS i"""
    for statement in (jobs, files):
        connection.execute(text(statement), {"count": count})
    connection.execute(text("ANALYZE orca.recovery_file"))
