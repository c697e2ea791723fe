"""`orca-daemon catalog show` and `catalog count` on a real Postgres."""

import json
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner, Result

from orca_daemon.cli import app
from orca_daemon.queues.catalog.store import apply
from orca_daemon.wire import catalog
from orca_daemon.wire.catalog import CatalogRecord
from tests.cli.conftest import connection
from tests.queues.catalog.messages import NOON, body, file

__all__ = ["connection"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["catalog", *arguments])


def shown(*arguments: str) -> list[dict[str, Any]]:
    result = run("show", *arguments, "--json")
    assert result.exit_code == 0, result.output
    granules: list[dict[str, Any]] = json.loads(result.stdout)["granules"]
    return granules


def in_collection(shortname: str, document: dict[str, Any]) -> CatalogRecord:
    collection = {"collectionId": f"{shortname}___2", "shortname": shortname, "version": "2"}
    return catalog.decode(json.dumps(document | {"collection": collection}))


@pytest.fixture
def filled(connection: Connection) -> None:
    """Two granules of one id in two collections, and an empty granule of another provider."""
    deep = {"storageClass": "DEEP_ARCHIVE", "orcaArchiveLocation": "second"}
    empty = body(granule_id="g2") | {"provider": {"providerId": "other", "name": "Other"}}
    apply(connection, [in_collection("A", body(file("a/1"), file("a/2", sizeInBytes=10)))])
    apply(connection, [in_collection("B", body(file("b/1", **deep))), in_collection("B", empty)])


@pytest.mark.usefixtures("filled")
class TestShow:
    def test_tells_everything_about_a_granule(self) -> None:
        (granule,) = shown("g2")
        assert {name: granule[name] for name in sorted(granule) if not name.endswith("time")} == {
            "collection_id": "B___2",
            "shortname": "B",
            "version": "2",
            "granule_id": "g2",
            "provider_id": "other",
            "provider_name": "Other",
            "execution_id": "ex",
            "last_update": datetime.fromisoformat(NOON).isoformat(),
            "files": [],
        }

    def test_finds_a_granule_in_every_collection_that_has_it(self) -> None:
        assert [(each["collection_id"], len(each["files"])) for each in shown("g1")] == [
            ("A___2", 2),
            ("B___2", 1),
        ]
        assert [each["collection_id"] for each in shown("g1", "--collection", "B___2")] == ["B___2"]

    @pytest.mark.parametrize("name", ["b/1", "s3://second/b/1"], ids=["key", "object"])
    def test_finds_the_granule_of_a_file(self, name: str) -> None:
        (granule,) = shown(name)
        assert granule["files"] == [
            {
                "name": "1",
                "key_path": "b/1",
                "orca_archive_location": "second",
                "cumulus_archive_location": "protected",
                "size_in_bytes": 6,
                "storage_class": "DEEP_ARCHIVE",
                "etag": '"60c21dcfd33de608e07abdeedadb180c"',
                "version": "v1",
                "hash": None,
                "hash_type": None,
                "ingest_time": NOON,
            }
        ]

    @pytest.mark.parametrize("name", ["nothing", "s3://archive/b/1", "s3://archive"])
    def test_of_nothing_exits_1(self, name: str) -> None:
        result = run("show", name)
        assert (result.exit_code, result.stdout) == (1, "")
        assert f"the catalog has neither a granule nor a file {name!r}" in result.stderr

    def test_prints_tables_for_people(self) -> None:
        output = run("show", "g1").stdout
        assert "a/2" in output
        assert "DEEP_ARCHIVE" in output


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("collection", [("A___2", 1, 2, 16), ("B___2", 2, 1, 6)]),
        ("provider", [("other", 1, 0, 0), ("p", 2, 3, 22)]),
        ("bucket", [("archive", 1, 2, 16), ("second", 1, 1, 6)]),
        ("storage-class", [("DEEP_ARCHIVE", 1, 1, 6), ("GLACIER", 1, 2, 16)]),
    ],
    ids=["collection", "provider", "bucket", "storage class"],
)
def test_count_adds_up_granules_files_and_bytes(by: str, expected: list[tuple[Any, ...]]) -> None:
    counts = json.loads(run("count", "--by", by, "--json").stdout)["counts"]
    assert [(each["name"], each["granules"], each["files"], each["bytes"]) for each in counts] == expected
    assert f"{expected[0][3]:,}" in run("count", "--by", by).stdout
