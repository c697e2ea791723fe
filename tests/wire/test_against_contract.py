"""Bodies in every variant: the daemon takes what ORCA takes, unless the page on compatibility differs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orca_daemon.wire import copy, inventory, status
from orca_daemon.wire.wire_model import MalformedError
from tests.wire import contract
from tests.wire.test_recovery import COPY, POINTER
from tests.wire.test_status import MOMENT, new_file, new_job, update

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"
DIFFERENT = {
    line.strip("|").split(" | ")[0].strip()
    for line in PAGE.read_text("utf-8").splitlines()
    if re.fullmatch(r"\|.*\| ≠ \|", line)
}
"""The first cells of the rows that are marked as different on purpose."""

NO_COLLECTION = "No `collectionId`, as producers before ORCA 8.1 send"
COPY_NO_COLLECTION = "No `collectionId`"
COPY_COLLECTION = "`collectionId` that is not a text"
NULL = "An optional field (`errorMessage`, `completionTime`, `collectionId`) that is null"
FRACTION_MARK = "A time whose fraction begins with another character than a dot"
YEARS = "A time in a year before 1 or after 9999"
FAILED_TIME = (
    "The `completionTime` of a FAILED file in a `new_job`, if it ends in `Z+00:00` or its fraction has other "
    "than 3 or 6 digits"
)
CHUNK_TEXT = '`s3MultipartChunksizeMb` text that is a number with a fraction or an exponent (`"1.5"`)'
CHUNK_NEGATIVE = "`s3MultipartChunksizeMb` negative"
COPY_CHUNK_NEGATIVE = "`s3MultipartChunksizeMb` below 0"
COPY_CHUNK_TEXT = "`s3MultipartChunksizeMb` that is a number as text"
KEYS = "An empty key or one of more than 1,024 bytes, an invalid bucket name, an ARN of an access point"
REGION = "`reportBucketRegion` that is not a valid region name"
REPORT_BUCKETS = (
    "Invalid bucket names, NUL or half of a surrogate pair in any text, a manifest of more than 16 MiB or "
    "20,000 files"
)

ABSENT = object()
VALUES: dict[str, object] = {
    "absent": ABSENT,
    "null": None,
    "a number": 5,
    "a fraction": 1.5,
    "true": True,
    "an empty text": "",
    "a text": "some text",
    "a whole number as text": "250",
    "a fraction as text": "1.5",
    "an exponent as text": "1e2",
    "a negative number": -5,
    "an array": ["a"],
    "an object": {"a": 1},
}
TIMES: dict[str, str] = {
    "no fraction": "2026-11-21T00:13:35+00:00",
    "three digits": "2026-11-21T00:13:35.439+00:00",
    "two digits": "2026-11-21T00:13:35.43+00:00",
    "nine digits": "2026-11-21T00:13:35.439458123+00:00",
    "Z and an offset": "2026-11-21T00:13:35.439458Z+00:00",
    "Z alone": "2026-11-21T00:13:35.439458Z",
    "another offset": "2026-11-21T00:13:35+01:00",
    "no offset": "2026-11-21T00:13:35",
    "a blank": "2026-11-21 00:13:35+00:00",
    "a comma": "2026-11-21T00:13:35,439458+00:00",
    "year 10000": "10000-11-21T00:13:35+00:00",
    "year -1": "-0001-11-21T00:13:35+00:00",
}
STATUSES = [1, 2, 3, 4, 0, 5, -1, 3.0, 1.5]
FAILED = {"statusId": 3, "errorMessage": "gone", "completionTime": MOMENT}

Variant = tuple[str, str, dict[str, Any], str | None]
"""A name, a kind of message, the body, and the row that allows a difference."""


def changed(document: dict[str, Any], field: str, value: object) -> dict[str, Any]:
    rest = {name: each for name, each in document.items() if name != field}
    return rest if value is ABSENT else {**document, field: value}


def of_fields(kind: str, document: dict[str, Any], fields: dict[str, Any]) -> Iterator[Variant]:
    for field in fields:
        for name, value in VALUES.items():
            yield f"{kind}, {field} {name}", kind, changed(document, field, value), row(kind, field, value)


def row(kind: str, field: str, value: object) -> str | None:  # noqa: C901, PLR0911  a table
    """The row of the page that says how this field with this value differs; None if no row does."""
    match kind, field, value:
        case "new_job" | "update_file", "collectionId", _ if value is ABSENT:
            return NO_COLLECTION
        case "new_job" | "update_file", "collectionId" | "errorMessage" | "completionTime", None:
            return NULL
        case "copy", "collectionId", _ if not isinstance(value, str):
            return COPY_NO_COLLECTION if value in (ABSENT, None) else COPY_COLLECTION
        case "copy", "s3MultipartChunksizeMb", str():
            return COPY_CHUNK_TEXT
        case "copy", "s3MultipartChunksizeMb", -5:
            return COPY_CHUNK_NEGATIVE
        case _, "s3MultipartChunksizeMb", "1.5" | "1e2":
            return CHUNK_TEXT
        case _, "s3MultipartChunksizeMb", -5:
            return CHUNK_NEGATIVE
        case "copy", "restoreDestination" | "sourceBucket" | "sourceKey" | "targetKey", str():
            return KEYS
        case "pointer", "reportBucketRegion", str():
            return REGION
        case "pointer", "reportBucketName", str():
            return REPORT_BUCKETS
        case _:
            return None


def of_times() -> Iterator[Variant]:
    for name, time in TIMES.items():
        allowed = FRACTION_MARK if name == "a comma" else YEARS if name.startswith("year") else None
        yield f"update_file, lastUpdate {name}", "update_file", update(lastUpdate=time), allowed
        yield f"new_job, requestTime {name}", "new_job", new_job(new_file(), requestTime=time), allowed
        failed = new_file(**FAILED | {"completionTime": time})
        yield f"new_job, completionTime of a failed file {name}", "new_job", new_job(failed), FAILED_TIME


def variants() -> Iterator[Variant]:
    yield from of_fields(
        "update_file", update(statusId=3, errorMessage="gone", completionTime=MOMENT), dict(contract.UPDATE)
    )
    yield from of_fields("new_job", new_job(new_file()), dict(contract.JOB))
    yield from of_fields("copy", COPY, dict(contract.COPY))
    yield from of_fields("pointer", POINTER, dict(contract.POINTER))
    for name, _, file, allowed in of_fields(
        "file", new_file(errorMessage="gone", completionTime=MOMENT), dict(contract.FILE)
    ):
        yield name, "new_job", new_job(file), allowed or row("new_job", *_field_and_value(name))
    yield from of_times()
    for number in STATUSES:
        yield f"update_file, statusId {number}", "update_file", update(statusId=number), None
        yield (
            f"new_job, statusId {number}",
            "new_job",
            new_job(new_file(**FAILED | {"statusId": number})),
            None,
        )
    yield "new_job, no files", "new_job", new_job(), None
    yield (
        "new_job, two files of one name",
        "new_job",
        new_job(new_file(keyPath="a/g"), new_file(keyPath="b/g")),
        None,
    )
    yield "new_job, the same file twice", "new_job", new_job(new_file(), new_file()), None
    yield "new_job, failed without its end", "new_job", new_job(new_file(statusId=3)), None


def _field_and_value(name: str) -> tuple[str, object]:
    field, _, value = name.partition(", ")[2].partition(" ")
    return field, VALUES[value]


def decodes(kind: str, body: str) -> bool:
    try:
        match kind:
            case "copy":
                copy.decode(body)
            case "pointer":
                inventory.decode(body)
            case _:
                status.decode(body, {"RequestMethod": kind})
    except MalformedError:
        return False
    return True


ALL = list(variants())


@pytest.mark.parametrize(
    ("kind", "body", "allowed"), [each[1:] for each in ALL], ids=[each[0] for each in ALL]
)
def test_a_body_is_taken_if_orca_takes_it_unless_the_page_names_the_difference(
    kind: str, body: dict[str, Any], allowed: str | None
) -> None:
    if decodes(kind, json.dumps(body)) != contract.takes(kind, body):
        assert allowed in DIFFERENT


def test_each_row_that_allows_a_difference_is_needed_and_on_the_page() -> None:
    used = {
        allowed
        for _, kind, body, allowed in ALL
        if decodes(kind, json.dumps(body)) != contract.takes(kind, body)
    }
    assert used == {each for *_, each in ALL if each}
    assert used <= DIFFERENT
