"""A message is either refused with a field's name, or everything made from it can be stored and posted."""

import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine

from orca_daemon.aws.s3copy import S3Object
from orca_daemon.engine.errors import Reject
from orca_daemon.queues import internal_report
from orca_daemon.queues.catalog import describe as describe_catalog
from orca_daemon.queues.catalog.store import apply as write_catalog
from orca_daemon.queues.recovery.reporters import update as progress
from orca_daemon.queues.recovery.targets import of_object, parts_of
from orca_daemon.queues.recovery.telemetry import describe as describe_recovery
from orca_daemon.queues.status_update import describe as describe_status
from orca_daemon.queues.status_update.store import apply
from orca_daemon.wire import catalog, inventory, status
from orca_daemon.wire import recovery as recovery_wire
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.file_reference import LARGEST_ROW_KEY
from orca_daemon.wire.outgoing import LARGEST_MESSAGE
from orca_daemon.wire.s3_event import S3Notification
from orca_daemon.wire.status import Grouping, NewJob, RecoveryStatus, StatusMessage, UpdateFile
from orca_daemon.wire.wire_model import MalformedError
from tests.conftest import Server

NOW = datetime(2026, 11, 21, tzinfo=UTC)
MOMENT = "2026-11-21T00:13:35.439458+00:00"
LONGEST_FACT = 4_000
"""Characters of a fact in a log line."""
FIELDS = re.compile(
    r"the body|Message|tables_to_query|detail|Records|manifestKey|reportBucket\w+|orcaArchiveLocation|"
    r"(job|collection|granule|status)Id|filename|files|keyPath|\w+Time|lastUpdate|errorMessage|"
    r"archiveDestination|restoreDestination|s3MultipartChunksizeMb|(source|target)(Key|Bucket)|"
    r"provider|collection|granule|(orca|cumulus)ArchiveLocation|storageClass|sizeInBytes"
)
ALPHABETS = ["abc/._-", "é", "\u20ac\ud7ff", "\U0001f680\U0010ffff", "\x01\n\x7f"]
POISON = ["\0", "a\0b", "\ud800", "a\udfff"]


def incompressible(alphabet: str, length: int, seed: int) -> str:
    """A random text, which Postgres cannot compress to fit an index, if the alphabet is large enough."""
    rng = random.Random(seed)
    letters = alphabet if len(alphabet) == 1 else "".join(map(chr, range(0x21, 0x7F))) + alphabet * 60
    return "".join(rng.choices(letters, k=length))


short = st.text(st.sampled_from([*"abc/.-é\u20ac\U0001f680", "\x01"]), max_size=12)
LENGTHS = [1, 255, 256, 340, 512, 1023, 1024, 1025, LARGEST_ROW_KEY - 9, LARGEST_ROW_KEY, 9_000, 60_000]
wild = st.builds(incompressible, st.sampled_from(ALPHABETS), st.sampled_from(LENGTHS), st.integers(0, 9))
anything: st.SearchStrategy[Any] = st.sampled_from(
    [1, 3.0, 7, -1, 2**31, 2**63, 10**400, 1e400, True, None, [], {}, "", "1", [[{"a": 1}]]]
)
moment = st.just("2026-11-21T00:13:35.439458+00:00")
bucket = st.from_regex(r"[a-z][a-z0-9.-]{1,61}[a-z0-9]", fullmatch=True)


@st.composite
def document(draw: st.DrawFn, /, **fields: st.SearchStrategy[Any]) -> dict[str, Any]:
    """An object with these keys, of which up to two have a wrong value."""
    result = {name: draw(strategy) for name, strategy in fields.items()}
    for name in draw(st.lists(st.sampled_from(sorted(fields)), max_size=2)):
        result[name] = draw(st.one_of(st.sampled_from(POISON), wild, st.text(), anything))
    return result | draw(st.sampled_from([{}, {"undeclared": ["\0", "\ud800"]}]))


JOB = {"jobId": short, "collectionId": short, "granuleId": short}
FILE = document(
    filename=short,
    keyPath=short,
    restoreDestination=short,
    s3MultipartChunksizeMb=st.none() | st.just(250),
    statusId=st.sampled_from([1, 3]),
    requestTime=moment,
    lastUpdate=moment,
    completionTime=moment,
    errorMessage=short,
)
UPDATES = document(
    **JOB, filename=short, lastUpdate=moment, statusId=st.sampled_from([2, 3, 4]), errorMessage=short | wild
)
JOBS = document(**JOB, requestTime=moment, archiveDestination=short, files=st.lists(FILE, max_size=3))
COPIES = document(
    **JOB,
    filename=short,
    restoreDestination=bucket,
    s3MultipartChunksizeMb=st.none() | st.just(250),
    sourceKey=short.map("k{}".format),
    targetKey=short.map("k{}".format),
    sourceBucket=bucket,
)
ARCHIVED = document(
    name=short,
    cumulusArchiveLocation=bucket,
    orcaArchiveLocation=bucket,
    keyPath=short,
    sizeInBytes=st.integers(-(2**63), 2**63 - 1),
    hash=st.none() | short,
    hashType=st.none() | short,
    storageClass=st.sampled_from(["GLACIER", "DEEP_ARCHIVE", "GLACIER_IR"]),
    version=short,
    ingestTime=moment,
    etag=short,
)
RECORDS = document(
    provider=document(providerId=short, name=st.none() | short),
    collection=document(collectionId=short, shortname=short, version=short),
    granule=document(
        cumulusGranuleId=short,
        executionId=short | wild,
        cumulusCreateTime=moment,
        ingestTime=moment,
        lastUpdate=moment,
        files=st.lists(ARCHIVED, max_size=3),
    ),
)
KEY = short.map("k{}".format) | short.map("{}/manifest.json".format)
RECORD = document(
    eventSource=st.just("aws:s3"),
    eventName=st.just("ObjectRestore:Completed"),
    awsRegion=st.just("us-west-2"),
    eventTime=moment,
    s3=st.builds(
        lambda bucket, thing: {"bucket": bucket, "object": thing},
        document(name=bucket),
        document(key=KEY, versionId=st.just("v1")),
    ),
)
EVENTS = st.builds(
    lambda records: {"Records": records}, st.lists(RECORD, max_size=2) | st.lists(RECORD, max_size=30)
)
BRIDGED = document(
    source=st.just("aws.s3"),
    region=st.just("us-west-2"),
    time=moment,
    **{
        "detail-type": st.just("Object Restore Completed"),
        "detail": st.builds(
            lambda bucket, thing: {"bucket": bucket, "object": thing},
            document(name=bucket),
            document(key=KEY),
        ),
    },
)
WRAPPED = document(
    Type=st.just("Notification"), TopicArn=st.just("t"), Message=(EVENTS | BRIDGED).map(json.dumps)
)
POINTERS = document(reportBucketRegion=st.just("us-west-2"), reportBucketName=bucket, manifestKey=KEY)
LISTINGS = document(jobId=st.just(7), orcaArchiveLocation=bucket)
names = st.lists(
    st.builds(incompressible, st.sampled_from(ALPHABETS), st.sampled_from([1, 255]), st.integers(0, 9))
)
EXPORTS = document(tables_to_query=names | names.map(lambda some: some * 9))


@contextmanager
def refused_by_name() -> Iterator[None]:
    """If the block refuses a message, check that the error is one line, names a field, and can be encoded."""
    try:
        yield
    except MalformedError as refusal:
        output = str(refusal)
    else:
        return
    assert FIELDS.search(output), output
    assert "\n" not in output
    output.encode()


def assert_facts_can_be_written(facts: Any) -> None:
    for name, value in facts.items():
        assert len(name + value) <= LONGEST_FACT, name
        value.encode()


def assert_all_updates_can_be_posted(request: CopyRequest, reason: str) -> None:
    _, _, row = parts_of(request)
    for state in (RecoveryStatus.STAGED, RecoveryStatus.SUCCESS, RecoveryStatus.FAILED):
        update = progress(row, state, NOW, reason if state is RecoveryStatus.FAILED else None)
        for grouping in Grouping:
            sent = status.update_message(update, grouping=grouping)
            assert sent.size <= LARGEST_MESSAGE
            assert sent.body.isascii()
            assert status.decode(sent.body, sent.attributes) == update


def decode_status(kind: str, body: Any) -> StatusMessage:
    message = status.decode(json.dumps(body), {"RequestMethod": kind})
    assert_facts_can_be_written(describe_status(message))
    return message


@given(body=UPDATES)
def test_an_update_that_was_read_can_be_sent(body: dict[str, Any]) -> None:
    with refused_by_name():
        message = decode_status("update_file", body)
        if isinstance(message, UpdateFile) and (
            message.error_message or message.status != RecoveryStatus.FAILED
        ):
            assert status.update_message(message).size <= LARGEST_MESSAGE


@given(body=COPIES | EVENTS | BRIDGED | WRAPPED, reason=wild | st.sampled_from(POISON))
def test_all_updates_of_a_copy_can_be_posted(body: dict[str, Any], reason: str) -> None:
    with refused_by_name():
        message = recovery_wire.decode(json.dumps(body))
        assert_facts_can_be_written(describe_recovery(message))
        if isinstance(message, CopyRequest):
            assert_all_updates_can_be_posted(message, reason)


@given(body=POINTERS | LISTINGS | EXPORTS | EVENTS | BRIDGED | WRAPPED)
def test_a_message_about_reports_has_facts_for_the_log(body: dict[str, Any]) -> None:
    with refused_by_name():
        message = inventory.decode(json.dumps(body))
        assert_facts_can_be_written(internal_report.describe(message))
        if isinstance(message, S3Notification):
            internal_report.pointers(message)


@pytest.fixture(scope="module")
def connection(postgres: Server) -> Iterator[Connection]:
    url = postgres.migrated()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
    with engine.connect() as connection:
        yield connection
    engine.dispose()
    postgres.drop(url)


@contextmanager
def rolled_back(connection: Connection) -> Iterator[None]:
    try:
        yield
    finally:
        connection.rollback()


stored = settings(max_examples=100)


@stored
@given(body=JOBS)
def test_a_new_job_can_be_stored(connection: Connection, body: dict[str, Any]) -> None:
    with refused_by_name():
        message = cast("NewJob", decode_status("new_job", body))
        moves = [follow(message, file.filename) for file in message.files]
        with rolled_back(connection):
            apply(connection, [message, *moves], NOW)


@stored
@given(body=RECORDS)
def test_a_catalog_record_can_be_stored(connection: Connection, body: dict[str, Any]) -> None:
    with refused_by_name():
        message = catalog.decode(json.dumps(body))
        assert_facts_can_be_written(describe_catalog(message))
        with rolled_back(connection), suppress_known_refusals():
            write_catalog(connection, [message])


@contextmanager
def suppress_known_refusals() -> Iterator[None]:
    """What only the tables can refuse: a storage class, and an object of the archive for two files."""
    try:
        yield
    except Reject as refusal:
        if not re.search(r"storageClass: the table|the catalog has the object", str(refusal)):
            raise


def follow(job: NewJob, filename: str) -> UpdateFile:
    return UpdateFile(
        job_id=job.job_id,
        collection_id=job.collection_id,
        granule_id=job.granule_id,
        filename=filename,
        last_update=NOW,
        status=RecoveryStatus.SUCCESS,
        completion_time=NOW,
    )


@stored
@given(body=EVENTS | BRIDGED)
def test_the_rows_of_an_object_can_be_queried(connection: Connection, body: dict[str, Any]) -> None:
    with refused_by_name():
        message = recovery_wire.decode(json.dumps(body))
        assert isinstance(message, S3Notification)
        with rolled_back(connection):
            for record in message.records:
                assert of_object(connection, S3Object(record.bucket, record.key)) == []


@pytest.mark.parametrize("lengths", [(0, 0, 0), (1, 1, 1), (7, 100, 2_000), (600, 600, 600), (127, 128, 129)])
@pytest.mark.parametrize("alphabet", ["", "\U0001f680\U0010ffff"], ids=["narrow", "wide"])
def test_ids_of_the_largest_size_are_stored(
    connection: Connection, alphabet: str, lengths: tuple[int, int, int]
) -> None:
    texts = [incompressible(alphabet + "x.", length, seed) for seed, length in enumerate(lengths)]
    texts = [
        text.encode()[:length].decode(errors="ignore") for text, length in zip(texts, lengths, strict=True)
    ]
    left = LARGEST_ROW_KEY - sum(len(text.encode()) for text in texts)
    job, collection, granule = texts
    names = {"jobId": job, "collectionId": collection, "granuleId": granule}
    file = {
        "filename": incompressible("..", left, 9),
        "keyPath": incompressible("..", 9_000, 10),
        "restoreDestination": "b",
        "s3MultipartChunksizeMb": None,
        "statusId": 1,
        "requestTime": MOMENT,
        "lastUpdate": MOMENT,
    }
    body = names | {"requestTime": MOMENT, "archiveDestination": "a", "files": [file]}
    message = decode_status("new_job", body)
    with rolled_back(connection):
        apply(connection, [message], NOW)
    with pytest.raises(MalformedError, match="is too long: with "):
        decode_status("new_job", body | {"granuleId": granule + "x"})
