"""A run of status messages has the same result as the same messages one by one."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, text

from orca_daemon.queues.status_update.rules import UnmatchedUpdateError
from orca_daemon.queues.status_update.store import apply
from orca_daemon.wire.status import NewFile, NewJob, RecoveryStatus, StatusMessage, UpdateFile

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
RANK = {1: 0, 2: 1, 3: 2, 4: 2}

times_of_day = st.integers(0, 5).map(lambda minutes: NOON + timedelta(minutes=minutes))
jobs = st.sampled_from(["j1", "j2"])
collections = st.sampled_from([None, "", "A", "UNKNOWN"])
granules = st.sampled_from(["g1", "g2"])
filenames = st.sampled_from(["a", "b"])


def new_file(name: str, status: int, time: datetime, chunk: int | None) -> NewFile:
    failed = status == RecoveryStatus.FAILED
    return NewFile(
        filename=name,
        key_path=f"d/{name}",
        restore_destination="dest",
        s3_multipart_chunksize_mb=chunk,
        status=RecoveryStatus(status),
        request_time=time,
        last_update=time,
        completion_time=time if failed else None,
        error_message="missing" if failed else None,
    )


# Functions, because Hypothesis reads signatures, and those of pydantic's classes have the names of JSON.
def new_job(**fields: Any) -> NewJob:
    return NewJob(**fields)


def update(**fields: Any) -> UpdateFile:
    return UpdateFile(**fields)


files = st.builds(
    new_file, filenames, st.sampled_from([1, 3]), times_of_day, st.one_of(st.none(), st.integers(1, 9))
)
new_jobs = st.builds(
    new_job,
    job_id=jobs,
    collection_id=collections,
    granule_id=granules,
    request_time=times_of_day,
    archive_destination=st.sampled_from(["x", "y"]),
    files=st.lists(files, max_size=2, unique_by=lambda file: file.filename).map(tuple),
)
updates = st.builds(
    update,
    job_id=jobs,
    collection_id=collections,
    granule_id=granules,
    filename=filenames,
    last_update=times_of_day,
    status=st.sampled_from(list(RecoveryStatus)),
    completion_time=st.one_of(st.none(), times_of_day),
    error_message=st.sampled_from([None, "broken"]),
)
# Most runs begin with jobs, so that most updates find their file.
mixes = st.tuples(
    st.lists(new_jobs, max_size=4), st.lists(st.one_of(updates, updates, updates, new_jobs), max_size=14)
).map(lambda parts: [*parts[0], *parts[1]])


def tables(connection: Connection) -> tuple[list[Any], list[Any]]:
    job_rows = connection.execute(
        text(
            "SELECT job_id, collection_id, granule_id, archive_destination, status_id, request_time, "
            "completion_time FROM orca.recovery_job ORDER BY 1, 2, 3"
        )
    )
    file_rows = connection.execute(
        text(
            "SELECT job_id, collection_id, granule_id, filename, key_path, multipart_chunksize_mb, "
            "restore_destination, status_id, error_message, request_time, last_update, completion_time "
            "FROM orca.recovery_file ORDER BY 1, 2, 3, 4"
        )
    )
    return [tuple(row) for row in job_rows], [tuple(row) for row in file_rows]


def one_by_one(connection: Connection, messages: Sequence[StatusMessage]) -> list[int]:
    """Positions of the messages that were refused; each message alone, the refused ones left out."""
    refused = []
    for position, message in enumerate(messages):
        savepoint = connection.begin_nested()
        try:
            apply(connection, [message], NOON)
        except UnmatchedUpdateError:
            savepoint.rollback()
            refused.append(position)
        else:
            savepoint.commit()
    return refused


@settings(max_examples=80)
@given(mix=mixes, cuts=st.sets(st.integers(1, 17), max_size=3))
def test_any_mix_as_runs_ends_as_the_same_messages_one_by_one(
    connection: Connection, mix: list[StatusMessage], cuts: set[int]
) -> None:
    refused = one_by_one(connection, mix)
    expected = tables(connection)
    connection.rollback()
    assert model(mix) == expected

    accepted = [message for position, message in enumerate(mix) if position not in refused]
    edges = [0, *sorted(cut for cut in cuts if cut < len(accepted)), len(accepted)]
    for start, end in pairwise(edges):
        apply(connection, accepted[start:end], NOON)
    assert tables(connection) == expected
    connection.rollback()

    if refused:
        with pytest.raises(UnmatchedUpdateError) as caught:
            apply(connection, mix, NOON)
        assert caught.value.position == refused[0]
    connection.rollback()


@settings(max_examples=30)
@given(mix=mixes)
def test_a_run_delivered_twice_in_a_row_of_single_messages_changes_nothing_more(
    connection: Connection, mix: list[StatusMessage]
) -> None:
    for message in mix:
        once = one_by_one(connection, [message])
        before = tables(connection)
        assert one_by_one(connection, [message]) == once
        assert tables(connection) == before
    connection.rollback()


def test_a_run_of_a_hundred_takes_no_more_statements_than_one_of_a_few(connection: Connection) -> None:
    def run(granules: range) -> list[StatusMessage]:
        key = {"job_id": "j", "collection_id": "c"}
        opened = [
            new_job(
                **key,
                granule_id=str(number),
                request_time=NOON,
                archive_destination="x",
                files=tuple(new_file(name, 1, NOON, None) for name in "abc"),
            )
            for number in granules
        ]
        moved = [
            update(
                **key, granule_id=str(number), filename="a", last_update=NOON, status=RecoveryStatus.STAGED
            )
            for number in granules
        ]
        return [*opened, *moved]

    apply(connection, run(range(1000, 1001)), NOON)  # the first run of a connection prepares it
    statements: list[str] = []
    event.listen(connection, "before_cursor_execute", lambda *given: statements.append(given[2]))
    counts = []
    for granules in (range(2), range(2), range(100, 150), range(100, 150)):
        statements.clear()
        apply(connection, run(granules), NOON)
        counts.append(len(statements))
    assert counts[2:] == counts[:2]
    assert max(counts) <= 2


def model(messages: Sequence[StatusMessage]) -> tuple[list[Any], list[Any]]:
    """The expected tables: a second, simple implementation with dictionaries, one message after the other."""
    jobs: dict[tuple[str, str, str], list[Any]] = {}
    files: dict[tuple[str, str, str, str], list[Any]] = {}
    for message in messages:
        if isinstance(message, NewJob):
            collection = "UNKNOWN" if message.collection_id is None else message.collection_id
            owner = (message.job_id, collection, message.granule_id)
            if owner not in jobs:
                done = None if message.files else NOON
                jobs[owner] = [message.archive_destination, 3, message.request_time, done]
            for file in message.files:
                files.setdefault(
                    (*owner, file.filename),
                    [
                        file.key_path,
                        file.s3_multipart_chunksize_mb,
                        file.restore_destination,
                        int(file.status),
                        file.error_message,
                        file.request_time,
                        file.last_update,
                        file.completion_time,
                    ],
                )
        else:
            key = matched(message, files)
            if key is None:
                continue
            row = files[key]
            older = message.last_update < row[6]
            if older and RANK[message.status] <= RANK[row[3]]:
                continue
            row[3], row[4] = int(message.status), message.error_message
            row[6], row[7] = max(row[6], message.last_update), message.completion_time
            owner = key[:3]
        roll_up(jobs, files, owner)
    return (
        [(*key, row[0], row[1], row[2], row[3]) for key, row in sorted(jobs.items())],
        [(*key, *row) for key, row in sorted(files.items())],
    )


def matched(message: UpdateFile, files: dict[tuple[str, str, str, str], list[Any]]) -> Any:
    job, granule, name = message.job_id, message.granule_id, message.filename
    if message.collection_id is None:
        matches = [key for key in files if (key[0], key[2], key[3]) == (job, granule, name)]
        return matches[0] if len(matches) == 1 else None
    for collection in (message.collection_id, "UNKNOWN"):
        if (job, collection, granule, name) in files:
            return (job, collection, granule, name)
    return None


def roll_up(jobs: dict[Any, list[Any]], files: dict[Any, list[Any]], owner: tuple[str, str, str]) -> None:
    rows = [row for key, row in files.items() if key[:3] == owner]
    if rows:
        status = min(row[3] for row in rows)
        times = [row[7] for row in rows if row[7] is not None]
        jobs[owner][1] = status
        jobs[owner][3] = max(times) if status >= 3 and times else None
