"""What a catalog record writes, case by case as the contract lists them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from orca_daemon.engine.errors import Reject
from orca_daemon.queues.catalog.rows import EntangledError
from orca_daemon.queues.catalog.store import apply
from tests.queues.catalog.messages import at, file, record, tables

NOON = datetime(2026, 11, 20, 12, 0, 0, 1, tzinfo=UTC)
CREATED = datetime(2023, 1, 1, 0, 0, 0, 123000, tzinfo=UTC)
ETAG = '"60c21dcfd33de608e07abdeedadb180c"'


def column(connection: Connection, name: str, table: str = "files") -> list[Any]:
    return list(connection.scalars(text(f"SELECT {name} FROM orca.{table} ORDER BY id")))


def test_a_message_becomes_rows(connection: Connection) -> None:
    assert apply(connection, [record(file(hash="1f", hashType="md5"))]) == frozenset()
    assert tables(connection) == {
        "providers": [("p", None)],
        "collections": [("C___001", "C", "001")],
        "granules": [("C___001", "g1", "p", "ex", NOON, CREATED, NOON)],
        "files": [
            (
                *("protected", "d/a.h5", "C___001", "g1", "a.h5", "archive", NOON, ETAG, "v1", 6),
                *("1f", "md5", "GLACIER"),
            )
        ],
        "storage_class": [(1, "GLACIER"), (2, "DEEP_ARCHIVE")],
    }


def test_a_granule_without_files_is_written(connection: Connection) -> None:
    apply(connection, [record()])
    assert column(connection, "cumulus_granule_id", "granules") == ["g1"]


def test_names_and_times_of_the_first_message_stay(connection: Connection) -> None:
    first = record()
    second = record(lastUpdate=at(5), ingestTime=at(5), cumulusCreateTime=at(5), executionId="ex2")
    renamed = second.model_copy(
        update={
            "provider": second.provider.model_copy(update={"name": "new"}),
            "collection": second.collection.model_copy(update={"shortname": "new"}),
        }
    )
    apply(connection, [first])
    apply(connection, [renamed])
    assert {
        name: rows for name, rows in tables(connection).items() if name in {"providers", "collections"}
    } == {
        "providers": [("p", None)],
        "collections": [("C___001", "C", "001")],
    }
    assert tables(connection)["granules"] == [
        ("C___001", "g1", "p", "ex2", NOON, CREATED, datetime(2026, 11, 20, 12, 5, tzinfo=UTC))
    ]


def test_a_file_stays_with_the_granule_that_named_it_first(connection: Connection) -> None:
    apply(connection, [record(file())])
    apply(connection, [record(file(version="v2"), granule_id="g2")])
    assert [(row[3], row[8]) for row in tables(connection)["files"]] == [("g1", "v2")]


def test_files_that_a_message_no_longer_names_stay(connection: Connection) -> None:
    apply(connection, [record(file("a"), file("b"))])
    apply(connection, [record(file("b"), lastUpdate=at(5))])
    assert column(connection, "key_path") == ["a", "b"]


@pytest.mark.parametrize("together", [False, True], ids=["in two runs", "in one run"])
class TestAnOlderMessage:
    def write(self, connection: Connection, together: bool, *messages: Any) -> list[frozenset[int]]:  # noqa: FBT001  of a parameter
        if together:
            return [apply(connection, messages)]
        return [apply(connection, [message]) for message in messages]

    def test_overwrites_no_newer_file(self, connection: Connection, together: bool) -> None:  # noqa: FBT001  of a parameter
        newer = record(file(version="v2", ingestTime=at(5)))
        older = record(file(version="v1", ingestTime=at(4)), lastUpdate=at(6))
        stale = self.write(connection, together, newer, older)
        assert column(connection, "version") == ["v2"]
        assert stale[-1] == ({1} if together else {0})

    def test_overwrites_no_newer_granule_and_still_adds_its_files(
        self,
        connection: Connection,
        together: bool,  # noqa: FBT001  of a parameter
    ) -> None:
        newer = record(file("a"), executionId="new", lastUpdate=at(5))
        older = record(file("b"), executionId="old", lastUpdate=at(4))
        stale = self.write(connection, together, newer, older)
        assert column(connection, "execution_id", "granules") == ["new"]
        assert column(connection, "key_path") == ["a", "b"]
        assert stale[-1] == ({1} if together else {0})

    def test_of_the_same_time_overwrites_as_in_orca(self, connection: Connection, together: bool) -> None:  # noqa: FBT001  of a parameter
        first, second = (
            record(file(version="v1"), executionId="1"),
            record(file(version="v2"), executionId="2"),
        )
        assert self.write(connection, together, first, second)[-1] == frozenset()
        assert column(connection, "version") == ["v2"]
        assert column(connection, "execution_id", "granules") == ["2"]


def test_the_same_message_again_writes_no_row(connection: Connection) -> None:
    versions = text(
        "SELECT xmin::text, ctid::text FROM orca.files UNION SELECT xmin::text, ctid::text FROM orca.granules"
    )
    messages = [record(file("a"), file("b")), record(file("c"), granule_id="g2")]
    apply(connection, messages)
    connection.commit()
    before = connection.execute(versions).all()
    assert apply(connection, messages) == frozenset()
    connection.commit()
    assert connection.execute(versions).all() == before


def test_a_run_of_fifty_takes_two_round_trips(connection: Connection) -> None:
    statements: list[str] = []
    event.listen(connection, "before_cursor_execute", lambda *given: statements.append(given[2]))
    apply(connection, [record(file(f"d/{number}"), granule_id=str(number)) for number in range(50)])
    assert len(statements) == 2


def test_an_unknown_storage_class_is_rejected_by_name_and_writes_nothing(connection: Connection) -> None:
    with pytest.raises(Reject, match=r"granule\.files\[1\]\.storageClass: .* has no class 'GLACIER_IR'"):
        apply(connection, [record(file("a"), file("b", storageClass="GLACIER_IR"))])
    assert column(connection, "key_path") == []


def test_a_storage_class_that_is_added_to_the_table_is_accepted_at_once(connection: Connection) -> None:
    message = record(file(storageClass="GLACIER_IR"))
    with pytest.raises(Reject):
        apply(connection, [message])
    connection.execute(text("INSERT INTO orca.storage_class (id, value) VALUES (3, 'GLACIER_IR')"))
    apply(connection, [message])
    assert column(connection, "storage_class_id") == [3]


class TestAnObjectOfTheArchiveForTwoFiles:
    def test_is_rejected_with_a_sentence(self, connection: Connection) -> None:
        apply(connection, [record(file("a"))])
        other = record(file("z"), file("a", cumulusArchiveLocation="public"), lastUpdate=at(5))
        with pytest.raises(Reject, match=r"granule\.files\[1\]: the catalog has the object .* already"):
            apply(connection, [other])

    def test_within_a_run_is_found_one_by_one(self, connection: Connection) -> None:
        first, second = record(file("a")), record(file("a", cumulusArchiveLocation="public"), granule_id="g2")
        with pytest.raises(EntangledError):
            apply(connection, [first, second])

    def test_within_a_message_is_rejected(self, connection: Connection) -> None:
        with pytest.raises(Reject, match=r"files\[1\]"):
            apply(connection, [record(file("a"), file("a", cumulusArchiveLocation="public"))])


def test_a_message_may_move_a_file_to_another_archive_bucket(connection: Connection) -> None:
    apply(connection, [record(file("a"))])
    apply(connection, [record(file("a", orcaArchiveLocation="second"), file("a", ingestTime=at(0)))])
    assert column(connection, "orca_archive_location") == ["second"]


def test_several_files_of_one_key_are_one_row_with_the_newest(connection: Connection) -> None:
    versions = [
        file("a", name=f"n{minute}", version=str(minute), ingestTime=at(minute)) for minute in (1, 3, 2)
    ]
    assert apply(connection, [record(*versions)]) == {0}
    assert (column(connection, "version"), column(connection, "name")) == (["3"], ["n3"])


def test_the_same_key_in_two_pairs_of_buckets_is_two_files(connection: Connection) -> None:
    elsewhere = {"cumulusArchiveLocation": "public", "orcaArchiveLocation": "second"}
    apply(connection, [record(file("a"), file("a", **elsewhere))])
    assert column(connection, "cumulus_archive_location") == ["protected", "public"]
