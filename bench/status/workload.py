"""Status messages of recoveries: for each granule `new_job`, then each file staged, then each file copied."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

FILES = 5
PER_GRANULE = 1 + 2 * FILES
_BEGAN = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message for the status queue."""

    method: str
    body: str
    group: str


def messages(count: int, *, groups: int) -> Sequence[Sent]:
    """About `count` messages; with several groups, one granule per group is recovered at the same time."""
    granules = max(count // PER_GRANULE, groups)
    sent: list[Sent] = []
    for first in range(0, granules, groups):
        concurrent = range(first, min(first + groups, granules))
        for step in range(PER_GRANULE):
            sent += [_message(granule, step, f"group-{granule % groups}") for granule in concurrent]
    return sent


def large_granule(files: int, updates: int) -> Sequence[Sent]:
    """A `new_job` of so many files, then updates: each file staged, then each copied, as far as they go."""
    steps = range(min(updates, 2 * files) + 1)
    return [_message(0, step, "group", files) for step in steps]


def _message(granule: int, step: int, group: str, files: int = FILES) -> Sent:
    key: dict[str, Any] = {
        "jobId": f"job-{granule // 50}",
        "collectionId": "MOD09GQ___006",
        "granuleId": f"MOD09GQ.A{granule:07}",
    }
    if step == 0:
        body = key | {"requestTime": _at(0), "archiveDestination": "demo-orca-archive"}
        return Sent(
            "new_job", json.dumps(body | {"files": [_file(number) for number in range(files)]}), group
        )
    copied, number = divmod(step - 1, files)
    body = key | {"filename": _name(number), "lastUpdate": _at(step), "statusId": 4 if copied else 2}
    return Sent("update_file", json.dumps(body | ({"completionTime": _at(step)} if copied else {})), group)


def _file(number: int) -> dict[str, Any]:
    return {
        "success": True,
        "filename": _name(number),
        "keyPath": f"MOD09GQ___006/2017/025/{_name(number)}",
        "restoreDestination": "demo-protected",
        "s3MultipartChunksizeMb": None,
        "statusId": 1,
        "requestTime": _at(0),
        "lastUpdate": _at(0),
    }


def _name(number: int) -> str:
    return f"MOD09GQ.A2017025.h21v00.006.{number}.hdf"


def _at(second: int) -> str:
    return (_BEGAN + timedelta(seconds=second, microseconds=1)).isoformat()
