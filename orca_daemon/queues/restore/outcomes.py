"""From the record of a job to the outcome of its request, as it is posted and answered."""

from collections.abc import Mapping, Sequence

from orca_daemon.db.restores import FileName, RestoreRow, RestoreStep
from orca_daemon.queues.restore.plan import name_of
from orca_daemon.wire.restore import RestoreFile, RestoreGranule, RestoreRequest
from orca_daemon.wire.restore_outcome import FileOutcome, GranuleOutcome, RestoreOutcome
from orca_daemon.wire.status import RecoveryStatus

MOST_CHARACTERS = 1_000
"""Of an error message: it is one sentence."""


def of_request(request: RestoreRequest, job: str, rows: Mapping[FileName, RestoreRow]) -> RestoreOutcome:
    """The outcome of a request whose files are all recorded."""
    return RestoreOutcome(
        job_id=job,
        granules=[
            GranuleOutcome(granule=granule, files=of_granule(request, granule, rows))
            for granule in request.granules
        ],
    )


def of_granule(
    request: RestoreRequest, granule: RestoreGranule, rows: Mapping[FileName, RestoreRow]
) -> Sequence[FileOutcome]:
    """The outcomes of the files of one granule."""
    return [_of_file(request, file, rows[name_of(granule, file)]) for file in granule.files]


def _of_file(request: RestoreRequest, file: RestoreFile, row: RestoreRow) -> FileOutcome:
    failed = row.error is not None
    ended = row.done_at or row.requested_at
    return FileOutcome(
        file=file,
        status=RecoveryStatus.FAILED if failed else RecoveryStatus.PENDING,
        chunk_mib=request.chunk_mib,
        request_time=row.requested_at,
        last_update=ended if failed else row.requested_at,
        error_message=row.error[:MOST_CHARACTERS] if row.error is not None else None,
        completion_time=ended if failed else None,
    )


def counted(rows: Sequence[RestoreRow]) -> Mapping[RestoreStep, int]:
    """The number of rows by step."""
    steps = [row.step for row in rows]
    return {step: steps.count(step) for step in RestoreStep if step in steps}
