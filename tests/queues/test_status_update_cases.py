"""Every kind of status message that ORCA's consumer receives, and its effect on the tables."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from orca_daemon.queues.status_update.rules import UnmatchedUpdateError, UpdateOutcome
from orca_daemon.queues.status_update.store import apply
from orca_daemon.wire.status import decode
from orca_daemon.wire.wire_model import MalformedError

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
KEY = {"jobId": "op-1", "collectionId": "C___001", "granuleId": "g-1"}


def at(minute: int) -> str:
    return f"2026-11-21T00:{minute:02}:00.000001+00:00"


def time_at(minute: int) -> datetime:
    return datetime(2026, 11, 21, 0, minute, 0, 1, tzinfo=UTC)


def file(name: str = "a.h5", status: int = 1, **more: Any) -> dict[str, Any]:
    failed = {"completionTime": at(3), "errorMessage": "not found"} if status == 3 else {}
    return {
        "success": False, "filename": name, "keyPath": f"d/{name}", "restoreDestination": "dest",
        "s3MultipartChunksizeMb": None, "statusId": status, "requestTime": at(1), "lastUpdate": at(2),
    } | failed | more  # fmt: skip


def new_job(*files: dict[str, Any], **more: Any) -> tuple[str, dict[str, Any]]:
    return "new_job", KEY | {"requestTime": at(0), "archiveDestination": "arch", "files": list(files)} | more


def update(status: int = 4, minute: int = 5, **more: Any) -> tuple[str, dict[str, Any]]:
    named = KEY | {"filename": "a.h5", "lastUpdate": at(minute), "statusId": status} | more
    return "update_file", {key: value for key, value in named.items() if value != "absent"}


def store(connection: Connection, *messages: tuple[str, dict[str, Any]]) -> list[UpdateOutcome]:
    """Decode and apply each message in a run of its own."""
    return [
        apply(connection, [decode(json.dumps(body), {"RequestMethod": method})], NOW)
        for method, body in messages
    ]


def job(connection: Connection) -> Any:
    rows = connection.execute(text("SELECT status_id, completion_time FROM orca.recovery_job")).all()
    return tuple(rows[0]) if len(rows) == 1 else [tuple(row) for row in rows]


def file_row(connection: Connection, name: str = "a.h5") -> Any:
    query = text(
        "SELECT status_id, last_update, completion_time, error_message FROM orca.recovery_file "
        "WHERE filename = :name"
    )
    return tuple(connection.execute(query, {"name": name}).one())


def count(connection: Connection, table: str) -> int:
    return int(connection.execute(text(f"SELECT count(*) FROM orca.{table}")).scalar_one())


class TestNewJob:
    @pytest.mark.parametrize(
        ("files", "expected"),
        [
            pytest.param([file()], (1, None), id="a pending file"),
            pytest.param([file("a", 3), file("b")], (1, None), id="any pending file"),
            pytest.param(
                [file("a", 3), file("b", 3, completionTime=at(9))], (3, time_at(9)), id="all files failed"
            ),
            pytest.param([], (3, NOW), id="no files"),
        ],
    )
    def test_opens_the_job(
        self, connection: Connection, files: list[dict[str, Any]], expected: tuple[int, datetime | None]
    ) -> None:
        store(connection, new_job(*files))
        assert job(connection) == expected
        assert count(connection, "recovery_file") == len(files)

    def test_stores_every_column(self, connection: Connection) -> None:
        store(connection, new_job(file(s3MultipartChunksizeMb=250), file("x", 3)))
        rows = connection.execute(text("SELECT * FROM orca.recovery_file ORDER BY filename")).mappings().all()
        key = {"job_id": "op-1", "collection_id": "C___001", "granule_id": "g-1"}
        times = {"request_time": time_at(1), "last_update": time_at(2)}
        assert [dict(row) for row in rows] == [
            key | times | {
                "filename": "a.h5", "key_path": "d/a.h5", "multipart_chunksize_mb": 250,
                "restore_destination": "dest",
                "status_id": 1, "error_message": None, "completion_time": None,
            },
            key | times | {
                "filename": "x", "key_path": "d/x", "multipart_chunksize_mb": None,
                "restore_destination": "dest",
                "status_id": 3, "error_message": "not found", "completion_time": time_at(3),
            },
        ]  # fmt: skip
        [row] = connection.execute(text("SELECT * FROM orca.recovery_job")).mappings().all()
        assert dict(row) == key | {
            "archive_destination": "arch", "status_id": 1, "request_time": time_at(0),
            "completion_time": None,
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("files", "reason"),
        [
            pytest.param([file(statusId=2)], r"files\[0\].statusId is neither 1 nor 3", id="status 2"),
            pytest.param([file(statusId=4)], r"files\[0\].statusId is neither 1 nor 3", id="status 4"),
            pytest.param(
                [file(), file("b", 3) | {"completionTime": None}], r"files\[1\] .*completionTime",
                id="failed without completion time",
            ),
            pytest.param(
                [file(), file(keyPath="other/a.h5")], "same filename", id="one filename in two directories"
            ),
            pytest.param([file(), file()], "same filename", id="the same file twice"),
            pytest.param([file(s3MultipartChunksizeMb="big")], "s3MultipartChunksizeMb", id="odd chunk size"),
            pytest.param([file(filename="a\0")], "NUL", id="NUL in a text"),
        ],
    )  # fmt: skip
    def test_that_can_never_be_stored_is_refused(
        self, connection: Connection, files: list[dict[str, Any]], reason: str
    ) -> None:
        with pytest.raises(MalformedError, match=reason):
            store(connection, new_job(*files))

    def test_again_changes_nothing(self, connection: Connection) -> None:
        store(connection, new_job(file()), update(4, completionTime=at(6)))
        before = job(connection), file_row(connection)
        store(connection, new_job(file()))
        assert (
            (job(connection), file_row(connection))
            == before
            == ((4, time_at(6)), (4, time_at(5), time_at(6), None))
        )

    def test_again_without_files_does_not_touch_the_job(self, connection: Connection) -> None:
        store(connection, new_job())
        apply(
            connection,
            [decode(json.dumps(new_job()[1]), {"RequestMethod": "new_job"})],
            NOW + timedelta(hours=1),
        )
        assert job(connection) == (3, NOW)

    def test_again_with_more_files_adds_them(self, connection: Connection) -> None:
        store(connection, new_job(file()), update(4, completionTime=at(6)), new_job(file(), file("b")))
        assert job(connection) == (1, None)
        assert file_row(connection)[0] == 4

    def test_of_one_granule_in_two_collections_is_two_jobs(self, connection: Connection) -> None:
        store(connection, new_job(file()), new_job(file(), collectionId="D___1"))
        assert count(connection, "recovery_job") == 2


class TestUpdate:
    def test_writes_the_row_and_the_roll_up(self, connection: Connection) -> None:
        store(connection, new_job(file()), update(4, completionTime=at(6)))
        assert file_row(connection) == (4, time_at(5), time_at(6), None)
        assert job(connection) == (4, time_at(6))

    def test_erases_what_it_does_not_name(self, connection: Connection) -> None:
        store(connection, new_job(file("a.h5", 3)), update(2))
        assert file_row(connection) == (2, time_at(5), None, None)

    @pytest.mark.parametrize(
        ("statuses", "expected"),
        [
            pytest.param((1, 4), (1, None), id="any pending: pending"),
            pytest.param((2, 3), (2, None), id="else any staged: staged"),
            pytest.param((3, 4), (3, time_at(7)), id="else any failed: failed"),
            pytest.param((4, 4), (4, time_at(7)), id="else success"),
        ],
    )
    def test_rolls_up(
        self, connection: Connection, statuses: tuple[int, int], expected: tuple[int, datetime | None]
    ) -> None:
        store(connection, new_job(file("a"), file("b")))
        for minute, (name, status) in enumerate(zip("ab", statuses, strict=True), start=6):
            done: dict[str, Any] = {"completionTime": at(minute)} if status >= 3 else {}
            store(connection, update(status, filename=name, **done))
        assert job(connection) == expected

    def test_of_success_without_completion_time_is_accepted(self, connection: Connection) -> None:
        store(connection, new_job(file()), update(4))
        assert job(connection) == (4, None)

    def test_of_success_after_failure_is_applied(self, connection: Connection) -> None:
        store(connection, new_job(file()), update(3, 5, errorMessage="x"), update(4, 6))
        assert file_row(connection) == (4, time_at(6), None, None)

    @pytest.mark.parametrize(
        "named", [{"jobId": "no"}, {"granuleId": "no"}, {"filename": "no"}, {"collectionId": "no"}]
    )
    def test_an_unknown_file_is_reported(self, connection: Connection, named: dict[str, Any]) -> None:
        store(connection, new_job(file()))
        with pytest.raises(UnmatchedUpdateError) as caught:
            store(connection, update(4, **named))
        assert caught.value.may_come

    @pytest.mark.parametrize(
        ("status", "reason"), [(7, "statusId"), (0, "statusId"), ("4", "statusId"), (True, "statusId")]
    )
    def test_to_an_invalid_status_is_refused(self, connection: Connection, status: Any, reason: str) -> None:
        with pytest.raises(MalformedError, match=reason):
            store(connection, update(status))


class TestStaleUpdate:
    @pytest.mark.parametrize(
        ("stored", "late", "is_stale"),
        [
            pytest.param(4, 2, True, id="staged after success"),
            pytest.param(3, 2, True, id="staged after failure"),
            pytest.param(2, 1, True, id="pending after staged"),
            pytest.param(2, 2, True, id="staged after staged"),
            pytest.param(4, 3, True, id="older failure after success"),
            pytest.param(3, 4, True, id="older success after failure"),
            pytest.param(1, 2, False, id="staged by a clock that is behind"),
            pytest.param(2, 4, False, id="success by a clock that is behind"),
            pytest.param(2, 3, False, id="failure by a clock that is behind"),
        ],
    )
    def test_changes_nothing_unless_it_moves_the_file_forward(
        self, connection: Connection, *, stored: int, late: int, is_stale: bool
    ) -> None:
        store(connection, new_job(file()), update(stored, 8, errorMessage="kept"))
        before = job(connection), file_row(connection)
        [outcome] = store(connection, update(late, 7))
        assert list(outcome.stale) == ([0] if is_stale else [])
        if is_stale:
            assert (job(connection), file_row(connection)) == before
        else:
            # The later of the two times is kept, whichever clock it came from.
            assert file_row(connection) == (late, time_at(8), None, None)

    @pytest.mark.parametrize(("stored", "equal"), [(3, 4), (4, 3), (4, 2)])
    def test_is_not_one_of_the_same_time(self, connection: Connection, stored: int, equal: int) -> None:
        store(connection, new_job(file()), update(stored, 8), update(equal, 8))
        assert file_row(connection)[0] == equal

    def test_is_not_a_later_one_that_moves_back(self, connection: Connection) -> None:
        store(connection, new_job(file()), update(4, 8, completionTime=at(8)), update(2, 9))
        assert file_row(connection) == (2, time_at(9), None, None)
        assert job(connection) == (2, None)


class TestCollection:
    def test_that_is_missing_is_stored_as_unknown(self, connection: Connection) -> None:
        method, body = new_job(file())
        del body["collectionId"]
        store(connection, (method, body))
        assert (
            connection.execute(text("SELECT collection_id FROM orca.recovery_file")).scalar_one() == "UNKNOWN"
        )

    def test_that_is_empty_is_stored_as_it_is(self, connection: Connection) -> None:
        store(connection, new_job(file(), collectionId=""), update(4, collectionId=""))
        assert connection.execute(text("SELECT collection_id FROM orca.recovery_file")).scalar_one() == ""
        assert file_row(connection)[0] == 4

    def test_of_an_update_finds_the_row_of_an_older_producer(self, connection: Connection) -> None:
        method, body = new_job(file())
        del body["collectionId"]
        store(connection, (method, body), update(4))
        assert file_row(connection)[0] == 4

    def test_of_an_update_prefers_its_own_row(self, connection: Connection) -> None:
        store(connection, new_job(file(), collectionId="UNKNOWN"), new_job(file()), update(4))
        rows = connection.execute(
            text("SELECT collection_id, status_id FROM orca.recovery_file ORDER BY 1")
        ).all()
        assert [tuple(row) for row in rows] == [("C___001", 4), ("UNKNOWN", 1)]

    def test_that_an_update_lacks_is_taken_from_the_only_row(self, connection: Connection) -> None:
        store(connection, new_job(file()), update(4, collectionId="absent"))
        assert file_row(connection)[0] == 4

    def test_that_an_update_lacks_must_not_be_one_of_two(self, connection: Connection) -> None:
        store(connection, new_job(file()), new_job(file(), collectionId="D___1"))
        with pytest.raises(UnmatchedUpdateError, match="several collections") as caught:
            store(connection, update(4, collectionId="absent"))
        assert not caught.value.may_come
