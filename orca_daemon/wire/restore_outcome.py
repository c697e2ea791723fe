"""What became of a restore request, and the output that ORCA's Lambda returns for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orca_daemon.wire.restore import RestoreFile, RestoreGranule, granule_document
from orca_daemon.wire.status import RecoveryStatus
from orca_daemon.wire.times import format_time


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutcome:
    """A file that is on its way (PENDING), or will not come (FAILED)."""

    file: RestoreFile
    status: RecoveryStatus
    chunk_mib: int | None
    request_time: datetime
    last_update: datetime
    error_message: str | None = None
    """Only of a file that failed, as the next one."""
    completion_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GranuleOutcome:
    """A granule of the request with the outcome of each file."""

    granule: RestoreGranule
    files: Sequence[FileOutcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOutcome:
    """The outcome of a whole request."""

    job_id: str
    granules: Sequence[GranuleOutcome]

    @property
    def nothing_asked(self) -> bool:
        """Whether every file failed, so that nothing will come."""
        statuses = {file.status for granule in self.granules for file in granule.files}
        return statuses <= {RecoveryStatus.FAILED}

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why files failed, each reason once."""
        found = (file.error_message for granule in self.granules for file in granule.files)
        return tuple(dict.fromkeys(reason for reason in found if reason))


def output(outcome: RestoreOutcome, *, files: bool = True) -> dict[str, Any]:
    """The output of `request_from_archive` as a JSON object (contract 13).

    Args:
        outcome: of the request.
        files: whether the granules have `recoverFiles`, which makes the output long.
    """
    return {
        "granules": [
            granule_document(each.granule)
            | ({"recoverFiles": [file_document(file) for file in each.files]} if files else {})
            for each in outcome.granules
        ],
        "asyncOperationId": outcome.job_id,
    }


def file_document(outcome: FileOutcome) -> dict[str, Any]:
    """An entry of `recoverFiles`, and of the `files` of a `new_job` message, with keys in ORCA's order."""
    document: dict[str, Any] = {
        "success": True,  # undeclared, and always true in ORCA, even for a file that failed
        "filename": outcome.file.filename,
        "keyPath": outcome.file.key,
        "restoreDestination": outcome.file.destination,
        "s3MultipartChunksizeMb": outcome.chunk_mib,
        "statusId": outcome.status.value,
        "requestTime": format_time(outcome.request_time),
        "lastUpdate": format_time(outcome.last_update),
    }
    if outcome.error_message is not None:
        document["errorMessage"] = outcome.error_message
    if outcome.completion_time is not None:
        document["completionTime"] = format_time(outcome.completion_time)
    return document
