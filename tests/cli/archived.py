"""What the listings of the tests show: long ids and keys as they are in real archives, and hostile ones."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from orca_daemon.app import checkup
from orca_daemon.app.checkup.findings import advice, ok, wrong
from orca_daemon.aws.dead_letter import letter
from orca_daemon.db.jobs import File
from orca_daemon.engine.message import Envelope
from orca_daemon.export.run import Report
from orca_daemon.export.table import TableOutcome
from orca_daemon.operations import comparison, dead_letters, exports, failures, recovery, restoring
from orca_daemon.operations.dead_letter_counts import QueueCount
from orca_daemon.operations.dead_letters import Peeked
from orca_daemon.operations.failures import FailureGroup, Failures, FailureSource
from orca_daemon.operations.folding import reason_id
from orca_daemon.operations.recovery import CheckedFile, FileState, OpenFiles
from orca_daemon.queues.catalog.store import apply
from orca_daemon.reconcile.protocol import Compared
from orca_daemon.reconcile.reports import Written
from orca_daemon.reconcile.run import ComparisonOutcome
from orca_daemon.wire import catalog
from orca_daemon.wire.status import RecoveryStatus
from tests.cli import conftest
from tests.cli.conftest import insert_recovery
from tests.queues.catalog.messages import body, file

PENDING, STAGED, FAILED, SUCCESS = RecoveryStatus
T0 = datetime(2026, 11, 29, 4, 30, tzinfo=UTC)
JOB, OTHER_JOB = "8f3a61c2-52e4-4d0b-9d3e-0c1f6a7b8e90", "8f3a6285-867a-14a7-53c9-c5499e9bb311"
GRANULE = "MOD09GQ.A2017025.h21v00.006.2017034065104"
KEY = f"MOD09GQ___006/2017/025/MOD/{GRANULE}"
ARCHIVE = "podaac-ops-cumulus-archive"
GONE = f"s3://{ARCHIVE}/{KEY}.hdf does not exist"
HOSTILE = "evil\x1b[31m\n日本\u202ekey"
_DIFFERENCES = """
INSERT INTO orca.reconcile_job (id, orca_archive_location, status_id, inventory_creation_time, start_time,
    last_update, end_time, error_message)
VALUES (4711, :archive, 5, '2026-11-20T01:00Z', '2026-11-20T02:00Z', '2026-11-20T02:10Z', '2026-11-20T02:10Z',
    NULL),
    (4712, :archive, 4, '2026-11-21T01:00Z', '2026-11-21T02:00Z', '2026-11-21T02:01Z', '2026-11-21T02:01Z',
    :error),
    (4713, 'b', 1, '2026-11-22T01:00Z', '2026-11-22T02:00Z', '2026-11-22T02:00Z', NULL, NULL);
INSERT INTO orca.reconcile_phantom_report
VALUES (4711, 'MOD09GQ___006', :granule, :granule || '.hdf', :key || '.hdf',
    '"d41d8cd98f00b204e9800998ecf8427e"', '2026-10-01T00:00Z', 1234567890, 2);
INSERT INTO orca.reconcile_orphan_report
SELECT 4711, key, '"d41d8cd98f00b204e9800998ecf8427e"', '2026-10-02T00:00Z', 7, 'GLACIER'
FROM unnest(CAST(:orphans AS text[])) AS key;
INSERT INTO orca.reconcile_catalog_mismatch_report
VALUES (4711, 'MOD09GQ___006', :granule, :granule || '.met', :key || '.met', :archive, '"a"', '"b"',
    '2026-10-01T00:00Z', '2026-10-02T00:00Z', 100, 20000, 2, 'GLACIER', 'etag, size_in_bytes');
"""


def insert_jobs(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three jobs at fixed times."""
    monkeypatch.setattr(conftest, "NOW", T0)
    place = {"collection": "MOD09GQ___006", "archive": ARCHIVE}
    insert_recovery(connection, JOB, SUCCESS, FAILED, granule=GRANULE, age=2, error=GONE, **place)
    insert_recovery(connection, OTHER_JOB, STAGED, PENDING, granule=GRANULE, age=30, **place)
    insert_recovery(connection, HOSTILE, FAILED, granule=HOSTILE, age=1, error=HOSTILE)


def insert_reports(connection: Connection) -> None:
    """Three comparisons, one with differences."""
    values = {
        "archive": ARCHIVE,
        "granule": GRANULE,
        "key": KEY,
        "error": "it lists no object, but the catalog has 1,234,567: is it of this bucket?",
        "orphans": [HOSTILE, *(f"{KEY}-{number}.hdf.met" for number in range(2))],
    }
    for statement in _DIFFERENCES.split(";")[:-1]:
        connection.execute(text(statement), values)


def insert_catalog(connection: Connection) -> None:
    """Two granules of a catalog: a real one, and one with hostile names."""
    hdf = {"name": f"{GRANULE}.hdf", "sizeInBytes": 3 * 1024**4 // 2, "storageClass": "DEEP_ARCHIVE"}
    for granule, files in {
        GRANULE: [catalog_file(f"{KEY}.hdf", **hdf), catalog_file(f"{KEY}.met", version="v2")],
        HOSTILE: [catalog_file(HOSTILE)],
    }.items():
        document = body(*files, granule_id=granule) | {
            "collection": {"collectionId": "MOD09GQ___006", "shortname": "MOD09GQ", "version": "006"}
        }
        apply(connection, [catalog.decode(json.dumps(document))])


def catalog_file(key: str, **more: Any) -> dict[str, Any]:
    """A file of the catalog in the archive bucket."""
    places = {"orcaArchiveLocation": ARCHIVE, "cumulusArchiveLocation": "podaac-ops-cumulus-protected"}
    return file(key, **(places | more))


def replace_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace those operations whose results have ids, addresses or durations that no test can know."""
    monkeypatch.setattr(checkup, "findings", returning(FINDINGS))
    monkeypatch.setattr(dead_letters, "peek", returning(Peeked(LETTERS, 7)))
    monkeypatch.setattr(exports, "export", returning(EXPORTED))
    monkeypatch.setattr(failures, "read_failures", returning(FAILURES))
    monkeypatch.setattr(comparison, "compare", returning(COMPARED))
    monkeypatch.setattr(restoring, "missing_destinations", returning(([], [])))
    monkeypatch.setattr(recovery, "check_open_files", returning(OpenFiles(JOB, OPEN_FILES, left_out=0)))


def returning(result: Any) -> Callable[..., Awaitable[Any]]:
    """An operation that returns this, whatever it is asked."""

    async def operation(*_: object, **__: object) -> Any:
        return result

    return operation


def _group(source: FailureSource, queue: str | None, count: int, example: str) -> FailureGroup:
    reason = failures.folded_reason(example)
    return FailureGroup(
        reason_id=reason_id(source, queue or "", reason),
        source=source,
        queue=queue,
        reason=reason,
        count=count,
        first=T0 - timedelta(days=1),
        last=T0,
        example=example,
        example_id=JOB,
    )


FAILURES = Failures(
    since=T0 - timedelta(days=7),
    groups=[
        _group(FailureSource.FILES, None, 12_345, GONE),
        _group(FailureSource.DEAD_LETTERS, "q", 3, "no new_job has named this file"),
        _group(FailureSource.EXPORTS, "q", 1, HOSTILE),
    ],
    queues=[
        QueueCount(queue="q", approximate_count=7, recorded=3, oldest=T0, newest=T0),
        QueueCount(
            queue="r",
            approximate_count=None,
            recorded=0,
            oldest=None,
            newest=None,
            problem="denied (AccessDenied)",
        ),
    ],
)
FINDINGS = [
    ok("settings", "2 queues: recovery, status_update"),
    wrong(
        "queue status_update",
        "cannot be read: EndpointConnectionError: Cannot connect to host sqs.us-west-2.amazonaws.com:443",
        "check the endpoint, the network and the proxy",
    ),
    advice(
        "copies",
        "copies.sources is not set: a message may name every bucket that the role may read",
        "set copies.sources and copies.targets",
    ),
]


def _letter(number: int, reason: str, group: str | None) -> Envelope:
    evidence = f'{{"reason": "{reason}", "error": "Reject", "attempts": {number}, "message_id": "{JOB}"}}'
    return Envelope(
        id=f"7f4c2a10-52e4-4d0b-9d3e-0c1f6a7b8e9{number}",
        receipt="r",
        body="{}",
        attributes={"OrcaDaemonEvidence": evidence},
        group=group,
        sent_at=T0.timestamp(),
    )


LETTERS = [
    letter(_letter(1, GONE, None)),
    letter(_letter(2, GONE, f"{JOB}/{GRANULE}")),
    letter(_letter(3, "evil\\u001b[31m\\n日本", "g")),
]
EXPORTED = Report(
    T0,
    (
        TableOutcome(
            table="recovery_file",
            key="recovery_file/2026/11/29/043000000000.parquet",
            rows=1234567,
            bytes=98765432,
            seconds=4.56,
            start=T0,
        ),
        TableOutcome(table="files", start=T0, seconds=0.04),
        TableOutcome(table="absent", error=ValueError("hidden")),
    ),
)
COMPARED = ComparisonOutcome(
    job=4711,
    bucket=ARCHIVE,
    compared=Compared(
        listed=1234567, catalogued=1234560, matched=1234550, mismatched=1, phantoms=9, recent=0, orphans=16
    ),
    written=Written(phantoms=9, orphans=16, mismatches=1),
    seconds=4.25,
)


def _open_file(name: str, status: RecoveryStatus, error: str | None = None) -> File:
    return File(
        collection_id="MOD09GQ___006",
        granule_id=GRANULE,
        filename=name,
        status=status,
        error_message=error,
        request_time=T0,
        last_update=T0,
        completion_time=None,
        archive_destination=ARCHIVE,
        key_path=f"MOD09GQ___006/2017/025/MOD/{name}",
        restore_destination="podaac-ops-cumulus-protected",
        multipart_chunksize_mb=None,
    )


OPEN_FILES = [
    CheckedFile(_open_file(f"{GRANULE}.hdf", STAGED), FileState.READY),
    CheckedFile(_open_file(f"{GRANULE}.met", PENDING), FileState.ARCHIVED),
    CheckedFile(
        _open_file(HOSTILE, STAGED),
        FileState.REFUSED,
        "nothing is copied to podaac-ops-cumulus-protected: copies.targets does not name it",
    ),
    CheckedFile(
        _open_file(f"{GRANULE}.jpg", FAILED, "bucket podaac-browse does not exist"),
        FileState.NO_DESTINATION,
        "bucket podaac-browse does not exist",
    ),
]
