"""`orca-daemon restore`, with a real catalog and a real queue."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
import pytest
from sqlalchemy import Connection, text
from typer.testing import CliRunner, Result

from orca_daemon.cli import app
from orca_daemon.cli.output import FORMAT, format_bytes
from orca_daemon.queues.catalog.store import apply
from orca_daemon.wire import catalog as wire
from orca_daemon.wire.restore import RestoreFile, RestoreRequest, Tier, decode
from tests.producer.conftest import Queue
from tests.queues.catalog.messages import body, file

TIB = 1024**4


@dataclass(frozen=True)
class Catalog:
    """The catalog, and the queue of requests."""

    connection: Connection
    queue: Queue

    def add(
        self, granule: str, *names: str, collection: str = "C___1", size: int = 10, storage: str = "GLACIER"
    ) -> None:
        """Insert a granule with its files, as ingest does."""
        files = [
            file(f"{collection}/{granule}/{name}", sizeInBytes=size, storageClass=storage) for name in names
        ]
        document = body(*files, granule_id=granule) | {
            "provider": {"providerId": "P", "name": "P"},
            "collection": {"collectionId": collection, "shortname": collection, "version": "1"},
        }
        apply(self.connection, [wire.decode(json.dumps(document))])

    def requests(self) -> list[RestoreRequest]:
        """The requests on the queue, which are taken off it."""
        return [decode(message["Body"]) for message in self.queue.take(100)]


@pytest.fixture
def catalog(
    aws_endpoint: str,
    sqs_endpoint: str,
    connection: Connection,
    destinations: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Catalog]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", sqs_endpoint)
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    sqs = boto3.client("sqs", region_name="us-west-2")
    queue = Queue(sqs, fifo=False)
    monkeypatch.setenv("RESTORE_QUEUE_URL", queue.url)
    monkeypatch.setenv("ORCA_RESTORE__DESTINATIONS", json.dumps({r"\.h5$": "protected", r"\.met$": "public"}))
    yield Catalog(connection, queue)
    sqs.close()


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["restore", *arguments], input=stdin)


def document(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def test_granules_are_requested_for_one_job(catalog: Catalog) -> None:
    catalog.add("G", "a.h5", "a.met")
    catalog.add("H", "b.h5", storage="DEEP_ARCHIVE", size=20)

    result = run("G", "H", "--tier", "bulk", "--days", "7", "--job", "op-1")

    assert result.exit_code == 0, result.output
    (request,) = catalog.requests()
    assert (request.job_id, request.bucket, request.tier, request.days) == ("op-1", "archive", Tier.BULK, 7)
    assert {granule.granule_id: granule.files for granule in request.granules} == {
        "G": (
            RestoreFile(key="C___1/G/a.h5", destination="protected"),
            RestoreFile(key="C___1/G/a.met", destination="public"),
        ),
        "H": (RestoreFile(key="C___1/H/b.h5", destination="protected"),),
    }
    assert "2 granules, 3 objects, 40 B" in result.output
    assert "within 48 hours" in result.output
    assert "requests posted: 1 of 1" in result.output
    assert "to follow it: orca-daemon job op-1" in result.output


def test_a_job_without_an_id_gets_one(catalog: Catalog) -> None:
    catalog.add("G", "a.h5")

    first, second = document("G"), document("G")

    assert UUID(first["job_id"]) != UUID(second["job_id"])
    assert [request.job_id for request in catalog.requests()] == [first["job_id"], second["job_id"]]


def test_a_dry_run_tells_everything_and_posts_nothing(catalog: Catalog) -> None:
    catalog.add("G", "a.h5", "a.met", size=2 * TIB)

    told = document("G", "--dry-run", "--job", "j")

    assert told == {
        "kind": "restore",
        "format": FORMAT,
        "job_id": "j",
        "dry_run": True,
        "tier": "Standard",
        "days": None,
        "granules": 1,
        "objects": 2,
        "bytes": 4 * TIB,
        "bytes_to_restore": 4 * TIB,
        "excluded": 0,
        "shares": [
            {
                "archive": "archive",
                "destination": bucket,
                "storage_class": "GLACIER",
                "objects": 1,
                "bytes": 2 * TIB,
                "time": "3 to 5 hours",
            }
            for bucket in ("protected", "public")
        ],
        "posted": 0,
        "messages": [],
    }
    text = run("G", "--dry-run").output
    assert "4.0 TiB" in text
    assert "restore.per_second" in text
    assert "nothing was posted" in text
    assert catalog.requests() == []


def test_more_than_one_tebibyte_is_posted_only_with_consent(catalog: Catalog) -> None:
    catalog.add("G", "a.h5", size=TIB + 1)
    catalog.add("H", "b.h5", size=TIB)

    refused = run("G")
    assert refused.exit_code == 2
    assert "this restores 1.0 TiB, which is more than 1 TiB\n" in refused.stderr
    assert "pass --yes or --dry-run" in refused.stderr
    assert run("G", "--json").exit_code == 2
    assert catalog.requests() == []
    assert run("G", "--yes").exit_code == 0
    assert run("H").exit_code == 0
    assert len(catalog.requests()) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("X",), "the catalog has no granule X"),
        (("G", "--collection", "D___1"), "the catalog has no granule G in collection D___1"),
        (("T",), "granule T is in 2 collections (C___1, D___1): name one by --collection"),
        (("U",), r"a.xml of granule U has no destination: no pattern of restore.destinations matches"),
        (("V", "--tier", "Expedited"), "DEEP_ARCHIVE, which has no Expedited restores"),
        (("G", "--to", "archive-of-no-one", "--archive", "b"), "granule G has no files in b in the catalog"),
        (("G", "--job", "j" * 3_000), "is too long"),
    ],
    ids=["unknown", "in another collection", "ambiguous", "no destination", "tier", "archive", "names"],
)
def test_what_is_refused_is_told_in_a_sentence(
    catalog: Catalog, arguments: tuple[str, ...], sentence: str
) -> None:
    catalog.add("G", "a.h5")
    catalog.add("T", "t.h5")
    catalog.add("T", "t.h5", collection="D___1")
    catalog.add("U", "a.xml")
    catalog.add("V", "v.h5", storage="DEEP_ARCHIVE")

    result = run(*arguments)

    assert result.exit_code == 1
    assert sentence in result.output
    assert result.output.endswith("nothing was posted\n")
    assert catalog.requests() == []


def test_limits_of_the_settings_are_checked_before_anything_is_posted(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.add("G", "a.h5", "a.met")
    monkeypatch.setenv("ORCA_RESTORE__MAX_FILES", "1")

    result = run("G")

    assert result.exit_code == 1
    assert "restore.max_files is 1" in result.output
    assert catalog.requests() == []


@pytest.mark.parametrize(
    "arguments",
    [("--file", "missing.txt"), (), ("G", "--file", "x"), ("G", "--tier", "Fast"), ("G", "--days", "0")],
    ids=["no such file", "nothing", "both", "tier", "days"],
)
def test_wrong_usage_exits_2(catalog: Catalog, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize("from_input", [False, True], ids=["file", "standard input"])
def test_granules_are_read_from_a_file(catalog: Catalog, tmp_path: Path, *, from_input: bool) -> None:
    catalog.add("G", "a.h5")
    catalog.add("G", "a.h5", collection="D___1")
    catalog.add("H", "b.h5")
    lines = 'H\n\n{"granuleId": "G", "collectionId": "D___1"}\nH\n'
    (tmp_path / "granules.txt").write_text(lines, "utf-8")

    name = "-" if from_input else str(tmp_path / "granules.txt")
    result = run("--file", name, "--collection", "C___1", stdin=lines)

    assert result.exit_code == 0, result.output
    (request,) = catalog.requests()
    assert [(one.collection_id, one.granule_id) for one in request.granules] == [
        ("C___1", "H"),
        ("D___1", "G"),
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'G\n{"granuleId": 7}\n', "line 2: not a valid line: granuleId is not a string"),
        (b"{\n", "line 1: the body is not JSON"),
        (b"\xff\n", "is not text in UTF-8"),
        (b"\n", "the file names no granule"),
    ],
    ids=["number", "no JSON", "no UTF-8", "empty"],
)
def test_a_wrong_file_is_told(catalog: Catalog, tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "granules.txt").write_bytes(content)

    result = run("--file", str(tmp_path / "granules.txt"))

    assert result.exit_code == 2
    assert sentence in result.output


def test_thousands_of_granules_are_looked_up_at_once_and_posted_in_messages_that_fit(
    catalog: Catalog, tmp_path: Path
) -> None:
    connection = catalog.connection
    catalog.add("G", "a.h5")
    connection.execute(
        text(
            "INSERT INTO orca.granules (provider_id, collection_id, cumulus_granule_id, execution_id,"
            " ingest_time, cumulus_create_time, last_update)"
            " SELECT 'P', 'C___1', 'G' || n, 'e', now(), now(), now() FROM generate_series(1, 2000) AS n"
        )
    )
    connection.execute(
        text(
            "INSERT INTO orca.files (granule_id, name, orca_archive_location, cumulus_archive_location,"
            " key_path, ingest_time, etag, version, size_in_bytes, storage_class_id)"
            " SELECT id, cumulus_granule_id || '.h5', 'archive', 'cumulus',"
            " repeat('x', 600) || cumulus_granule_id || '.h5', now(), 'e', 'v', 1, 1"
            " FROM orca.granules WHERE cumulus_granule_id <> 'G'"
        )
    )

    (tmp_path / "g").write_text("\n".join(f"G{number}" for number in range(1, 2001)), "utf-8")

    told = document("--file", str(tmp_path / "g"), "--collection", "C___1", "--job", "j")

    requests = catalog.requests()
    assert (told["granules"], told["objects"], told["posted"]) == (2000, 2000, len(requests))
    assert len(requests) > 1
    assert {request.job_id for request in requests} == {"j"}
    assert len({one.granule_id for request in requests for one in request.granules}) == 2000


def test_a_queue_that_refuses_ends_with_the_command_that_completes_it(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.add("G", "a.h5")
    url = catalog.queue.url
    monkeypatch.setenv("RESTORE_QUEUE_URL", url + "-gone")

    result = run("G", "--job", "op-7")

    assert result.exit_code == 1
    assert catalog.requests() == []


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1024, "1.0 KiB"),
        (1536 * 1024**3, "1.5 TiB"),
        (3 * 1024**6, "3,072.0 PiB"),
    ],
    ids=str,
)
def test_sizes_have_the_largest_unit_that_leaves_a_digit(size: int, shown: str) -> None:
    assert format_bytes(size) == shown


@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["posted", "dry-run"])
def test_nothing_is_restored_to_a_bucket_that_does_not_exist(catalog: Catalog, dry: tuple[str, ...]) -> None:
    catalog.add("G", "a.h5", "a.met")

    result = run("G", "--to", "no-such-bucket", *dry)

    assert result.exit_code == 1
    assert "1 granule, 2 objects" in result.stdout
    assert result.stderr.endswith(
        "orca-daemon: bucket no-such-bucket does not exist\norca-daemon: nothing was posted\n"
    )
    assert catalog.requests() == []


def test_a_collection_is_proposed_for_one_that_does_not_exist(catalog: Catalog) -> None:
    catalog.add("G", "a.h5", collection="MOD09GQ___006")
    hint = "there is no collection MOD09GQ; did you mean MOD09GQ___006?\n"

    assert hint in run("G", "--collection", "MOD09GQ").stderr
    shown = CliRunner().invoke(app, ["catalog", "show", "G", "--collection", "MOD09GQ"])
    assert (shown.exit_code, shown.stderr.endswith(hint)) == (1, True)
    assert "did you mean" not in run("H", "--collection", "MOD09GQ___006").stderr


def test_a_plan_needs_no_aws(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog.add("G", "a.h5")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)

    result = run("G", "--dry-run")

    assert (result.exit_code, "1 object" in result.stdout) == (0, True)
    assert "whether bucket protected exists is not known: no AWS region is known" in result.stderr
