"""Decides what to do for each file of a request, from what HeadObject returned: pure functions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from orca_daemon.aws.restore import expiry
from orca_daemon.aws.s3copy import ObjectHead
from orca_daemon.db.restores import FileName, RestoreRow, RestoreStep
from orca_daemon.wire.restore import RestoreFile, RestoreGranule, RestoreRequest, Tier

SOON = timedelta(days=1)
"""A restored copy that expires within this time is kept longer before it is copied."""
_DEEP = frozenset({"DEEP_ARCHIVE", "DEEP_ARCHIVE_ACCESS"})
"""Storage class and tier that Expedited does not exist for (AWS: archive retrieval options)."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The object may not be read, or does not exist: without `s3:ListBucket`, S3 says the same of both."""

    reason: str


Found: TypeAlias = ObjectHead | Denied | None
"""What S3 says of an object; None: it does not exist."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do for a file, and why it fails if it does."""

    step: RestoreStep
    error: str | None = None


def decide(found: Found, key: str, bucket: str, tier: Tier, now: datetime) -> Decision:
    """What to do for one object."""
    if found is None:
        return Decision(RestoreStep.FAIL, f"'{key}' does not exist in '{bucket}' bucket")
    if isinstance(found, Denied):
        return Decision(RestoreStep.FAIL, found.reason)
    if found.restoring:
        # A request for a faster tier would be an upgrade that costs money.
        return Decision(RestoreStep.WAIT)
    if not found.archived:
        ends = expiry(found) if found.in_archive else None
        soon = ends is not None and ends - now <= SOON
        return Decision(RestoreStep.EXTEND if soon else RestoreStep.COPY)
    place = found.archive_status or found.storage_class
    if tier is Tier.EXPEDITED and place in _DEEP:
        return Decision(
            RestoreStep.FAIL, f"'{key}' in '{bucket}' bucket is in {place}, which has no Expedited restores"
        )
    return Decision(RestoreStep.ASK)


def row(
    granule: RestoreGranule, file: RestoreFile, found: Found, bucket: str, tier: Tier, now: datetime
) -> RestoreRow:
    """The row to record for a file that is new."""
    decision = decide(found, file.key, bucket, tier, now)
    return RestoreRow(
        name=name_of(granule, file),
        archive=bucket,
        key=file.key,
        size=found.size if isinstance(found, ObjectHead) else 0,
        step=decision.step,
        tier=tier,
        requested_at=now,
        error=decision.error,
    )


def name_of(granule: RestoreGranule, file: RestoreFile) -> FileName:
    """The name of a file in the record."""
    return FileName(granule.collection_id, granule.granule_id, file.filename)


def asked_bytes(rows: Iterable[RestoreRow]) -> int:
    """The bytes that S3 has to restore."""
    return sum(each.size for each in rows if each.step is RestoreStep.ASK)


def left_of(
    request: RestoreRequest, rows: Mapping[FileName, RestoreRow]
) -> list[tuple[RestoreGranule, RestoreFile]]:
    """The files for which something is left to do."""
    return [
        (granule, file)
        for granule, file in request.files
        if (known := rows.get(name_of(granule, file))) is None or not known.done
    ]


def given_up(before: RestoreRow) -> bool:
    """Whether the file was reported as failed because its message was given up, and may be tried again."""
    return before.error is not None and not before.done and before.step is not RestoreStep.FAIL


def redecided(before: RestoreRow, found: Found, now: datetime) -> RestoreRow:
    """The row of a file that is tried again, by what S3 says now."""
    decision = decide(found, before.key, before.archive, before.tier, now)
    return replace(before, step=decision.step, error=decision.error)
