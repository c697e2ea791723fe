"""Random histories of messages, redelivered, reordered and redriven, end in the rows of a simple model."""

import json
from collections.abc import Sequence
from copy import deepcopy
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from orca_daemon.engine.errors import Reject
from orca_daemon.queues.catalog.rows import EntangledError
from orca_daemon.queues.catalog.store import apply
from orca_daemon.wire import catalog
from tests.queues.catalog.messages import at, body, file, tables

Document = dict[str, Any]
KNOWN = {"GLACIER": 1, "DEEP_ARCHIVE": 2}

minutes = st.integers(0, 4).map(at)
buckets = st.sampled_from(["one", "one", "one", "two"])
files = st.builds(
    file,
    st.sampled_from(["a", "b", "c"]),
    name=st.sampled_from(["n1", "n2"]),
    cumulusArchiveLocation=buckets,
    orcaArchiveLocation=buckets,
    sizeInBytes=st.integers(0, 3),
    hash=st.none() | st.just("1f"),
    storageClass=st.sampled_from(["GLACIER", "GLACIER", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR"]),
    version=st.sampled_from(["v1", "v2"]),
    ingestTime=minutes,
)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    message = body(
        *draw(st.lists(files, max_size=3)),
        granule_id=draw(st.sampled_from(["g1", "g2"])),
        executionId=draw(st.sampled_from(["e1", "e2"])),
        cumulusCreateTime=draw(minutes),
        ingestTime=draw(minutes),
        lastUpdate=draw(minutes),
    )
    message["provider"] = {
        "providerId": draw(st.sampled_from(["p1", "p2"])),
        "name": draw(st.sampled_from([None, "P"])),
    }
    shortname = draw(st.sampled_from(["C", "D"]))
    message["collection"] = {
        "collectionId": f"{shortname}___1",
        "shortname": shortname,
        "version": draw(st.sampled_from("12")),
    }
    return message


@st.composite
def histories(draw: st.DrawFn) -> list[list[Document]]:
    """Runs of messages; some messages come again later: redelivered, or redriven after all others."""
    sent = draw(st.lists(documents(), min_size=1, max_size=6))
    again = draw(st.lists(st.sampled_from(sent), max_size=4))
    order = draw(st.permutations([*sent, *again]))
    redriven = draw(st.lists(st.sampled_from(sent), max_size=2))
    delivered = [*order, *redriven]
    cuts = sorted(draw(st.sets(st.integers(1, len(delivered)), max_size=4)))
    return [delivered[start:end] for start, end in zip([0, *cuts], [*cuts, len(delivered)], strict=True)]


class RefusedError(Exception):
    """The model refuses a message."""


class Model:
    """The catalog by the contract, with the declared differences; one message after the other."""

    def __init__(self) -> None:
        self.providers: dict[str, str | None] = {}
        self.collections: dict[str, tuple[str, str]] = {}
        self.granules: dict[tuple[str, str], list[Any]] = {}
        self.files: dict[tuple[str, str], list[Any]] = {}

    def deliver(self, message: Document) -> bool:
        """Write a message, or nothing of it.  Returns whether it was written."""
        before = deepcopy(self.__dict__)
        try:
            self._write(message)
        except RefusedError:
            self.__dict__ = before
            return False
        return True

    def _write(self, message: Document) -> None:
        provider, collection, granule = (message[name] for name in ("provider", "collection", "granule"))
        self.providers.setdefault(provider["providerId"], provider["name"])
        self.collections.setdefault(
            collection["collectionId"], (collection["shortname"], collection["version"])
        )
        key = collection["collectionId"], granule["cumulusGranuleId"]
        times = [granule["ingestTime"], granule["cumulusCreateTime"]]
        row = self.granules.setdefault(key, ["", "", *times, ""])
        if granule["lastUpdate"] >= row[4]:
            row[0], row[1], row[4] = provider["providerId"], granule["executionId"], granule["lastUpdate"]
        for each in granule["files"]:
            self._write_file(key, each)

    def _write_file(self, granule: tuple[str, str], new: Document) -> None:
        if new["storageClass"] not in KNOWN:
            raise RefusedError
        key = new["cumulusArchiveLocation"], new["keyPath"]
        row = self.files.setdefault(key, [*granule, "", None, ""])
        if new["ingestTime"] < row[4]:
            return
        archive = new["orcaArchiveLocation"], new["keyPath"]
        if any((each[3], other[1]) == archive for other, each in self.files.items() if other != key):
            raise RefusedError
        names = ("name", "orcaArchiveLocation", "ingestTime", "etag", "version", "sizeInBytes", "hash")
        row[2:] = [new[name] for name in (*names, "hashType", "storageClass")]

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """The rows as `messages.tables` reads them."""
        rows: dict[str, list[tuple[Any, ...]]] = {
            "providers": list(self.providers.items()),
            "collections": [(key, *names) for key, names in self.collections.items()],
            "granules": [
                (*key, *row[:2], *map(datetime.fromisoformat, row[2:])) for key, row in self.granules.items()
            ],
            "files": [
                (*key, *row[:4], datetime.fromisoformat(row[4]), *row[5:]) for key, row in self.files.items()
            ],
            "storage_class": [(number, value) for value, number in KNOWN.items()],
        }
        return {name: sorted(each, key=repr) for name, each in rows.items()}


def deliver(connection: Connection, run: Sequence[Document]) -> list[bool]:
    """Write a run as the engine does: if it fails, its messages alone.  Returns which were written."""
    savepoint = connection.begin_nested()
    try:
        apply(connection, [catalog.decode(json.dumps(message)) for message in run])
    except (Reject, EntangledError):
        savepoint.rollback()
        if len(run) == 1:
            return [False]
        return [written for message in run for written in deliver(connection, [message])]
    savepoint.commit()
    return [True] * len(run)


@settings(max_examples=150)
@given(history=histories())
def test_any_history_in_any_runs_ends_in_the_rows_of_the_model(
    connection: Connection, history: list[list[Document]]
) -> None:
    model = Model()
    for run in history:
        assert deliver(connection, run) == [model.deliver(message) for message in run]
    assert tables(connection) == model.tables()
    connection.rollback()


@settings(max_examples=50)
@given(history=histories())
def test_the_newest_version_stays_whatever_the_order(
    connection: Connection, history: list[list[Document]]
) -> None:
    accepted = [
        message
        for run in history
        for message in run
        if all(
            each["storageClass"] in KNOWN and each["orcaArchiveLocation"] == each["cumulusArchiveLocation"]
            for each in message["granule"]["files"]
        )
    ]
    results = []
    for order in (accepted, list(reversed(accepted))):
        for message in order:
            assert deliver(connection, [message]) == [True]
        read = tables(connection)
        results.append(
            ([(row[:2], row[-1]) for row in read["granules"]], [(row[:2], row[6]) for row in read["files"]])
        )
        connection.rollback()
    assert results[0] == results[1]
