"""What becomes of a body in ORCA, by the contract alone: an oracle that shares no code with `orca_daemon`.

The facts are those of ORCA's schemas (sections 1.3, 1.4, 1.5 of the contract), of the code behind them
(2.1, 4.1, 4.3) and of Postgres's input of `integer` and `timestamptz`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

TIME = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(?:.\d+)?Z?\+00:00")
"""The schema's pattern: any character before the fraction, a `Z` or none, a literal `+00:00`."""
PYTHON_3_10 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3}|\.\d{6})?\+00:00")
"""What `datetime.fromisoformat` of Python 3.10 reads of these."""
POSTGRES_INTEGER = re.compile(r"\s*[+-]?\d+\s*")

Check = Callable[[Any], bool]


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_time(value: Any) -> bool:
    return is_text(value) and TIME.fullmatch(value) is not None


def is_integer(value: Any) -> bool:
    """As in JSON Schema: 3.0 is one, true is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer()


def is_chunk(value: Any) -> bool:
    """The schema names another field, so only Postgres judges: it takes integers and rounds other numbers."""
    if value is None:
        return True
    if is_text(value):
        return POSTGRES_INTEGER.fullmatch(value) is not None and abs(int(value)) < 2**31
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**31 - 1


def anything(_: Any) -> bool:
    return True


FILE: Mapping[str, tuple[Check, bool]] = {
    "filename": (is_text, True),
    "keyPath": (is_text, True),
    "restoreDestination": (is_text, True),
    "s3MultipartChunksizeMb": (is_chunk, True),
    "statusId": (is_integer, True),
    "requestTime": (is_time, True),
    "lastUpdate": (is_time, True),
    "errorMessage": (is_text, False),
    "completionTime": (is_time, False),
}
"""Each field's check, and whether it must be there."""
JOB: Mapping[str, tuple[Check, bool]] = {
    "jobId": (is_text, True),
    "collectionId": (is_text, True),
    "granuleId": (is_text, True),
    "requestTime": (is_time, True),
    "archiveDestination": (is_text, True),
    "files": (lambda value: isinstance(value, list) and all(isinstance(each, dict) for each in value), True),
}
UPDATE: Mapping[str, tuple[Check, bool]] = {
    **dict.fromkeys(("jobId", "collectionId", "granuleId", "filename"), (is_text, True)),
    "lastUpdate": (is_time, True),
    "statusId": (is_integer, True),
    "completionTime": (is_time, False),
    "errorMessage": (is_text, False),
}
COPY: Mapping[str, tuple[Check, bool]] = {
    "jobId": (is_text, True),
    "granuleId": (is_text, True),
    "filename": (is_text, True),
    "collectionId": (anything, True),
    "restoreDestination": (is_text, True),
    "s3MultipartChunksizeMb": (
        lambda value: value is None or (isinstance(value, int | float) and not isinstance(value, bool)),
        True,
    ),
    "sourceKey": (is_text, True),
    "targetKey": (is_text, True),
    "sourceBucket": (is_text, True),
}
POINTER: Mapping[str, tuple[Check, bool]] = {
    "reportBucketRegion": (is_text, True),
    "reportBucketName": (is_text, True),
    "manifestKey": (lambda value: is_text(value) and value.rpartition("/")[2] == "manifest.json", True),
}


def fits(document: Mapping[str, Any], fields: Mapping[str, tuple[Check, bool]]) -> bool:
    return all(
        check(document[name]) if name in document else not needed for name, (check, needed) in fields.items()
    )


def takes(kind: str, document: Mapping[str, Any]) -> bool:
    """Whether ORCA stores, copies or compares what this body asks for."""
    match kind:
        case "new_job":
            return fits(document, JOB) and _stores(document["files"])
        case "update_file":
            return fits(document, UPDATE) and document["statusId"] in {1, 2, 3, 4}
        case "copy":
            return fits(document, COPY)
        case _:
            return fits(document, POINTER)


def _stores(files: list[dict[str, Any]]) -> bool:
    names = [file.get("filename") for file in files]
    return (
        all(fits(file, FILE) and file["statusId"] in {1, 3} for file in files)
        and all(file["statusId"] == 1 or _ended(file) for file in files)
        and len(set(map(str, names))) == len(names)
    )


def _ended(file: Mapping[str, Any]) -> bool:
    """Python 3.10 of the Lambda parses the completion time of a file that failed."""
    return "completionTime" in file and PYTHON_3_10.fullmatch(file["completionTime"]) is not None
