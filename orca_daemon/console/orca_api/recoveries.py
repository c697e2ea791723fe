"""Reads the status of recoveries: of a job, and of one granule."""

from collections import Counter
from http import HTTPStatus
from typing import Any

from sqlalchemy import Connection

from orca_daemon.console.orca_api.errors import AnswerError
from orca_daemon.console.orca_api.requests import GranuleStatusRequest, JobStatusRequest
from orca_daemon.console.orca_api.values import encoded, storable, without_nulls
from orca_daemon.db.sql import load

_SQL = load(__package__, "recoveries.sql")
MOST = 100_000
"""Granules of a job, or files of a granule, in one answer.

These answers have no pages; ORCA's Lambda fails at 6 MB, which are some 50,000 granules.
"""
_OF_THE_JOB = ("collectionId", "granuleId", "asyncOperationId", "requestTime", "completionTime")
_OF_A_FILE = ("fileName", "restoreDestination", "status", "errorMessage")
_STATUSES = ("pending", "staged", "success", "error")


def job_status(connection: Connection, asked: JobStatusRequest) -> bytes:
    """The answer of `recovery/jobs`.

    Raises:
        AnswerError: there is no such job, or it has more granules than an answer may have.
    """
    job = asked.async_operation_id
    granules = _rows(connection, "job", {"job": job}) if storable(job) else []
    if not granules:
        raise AnswerError(HTTPStatus.NOT_FOUND, f"No granules found for job id '{job}'.")
    counts = Counter(granule["status"] for granule in granules)
    return encoded(
        {
            "asyncOperationId": job,
            "jobStatusTotals": {status: counts[status] for status in _STATUSES},
            "granules": granules,
        }
    )


def granule_status(connection: Connection, asked: GranuleStatusRequest) -> bytes:
    """The answer of `recovery/granules`.

    Raises:
        AnswerError: there is no such recovery, or it has more files than an answer may have.
    """
    named = asked.async_operation_id
    where = {"collection": asked.collection_id, "granule": asked.granule_id}
    found = []
    if all(map(storable, (named, *where.values()))):
        found = _rows(connection, "granule", {**where, "job": named or None})
    if not found:
        raise AnswerError(HTTPStatus.NOT_FOUND, _no_job(asked))
    job = {name: found[0][name] for name in _OF_THE_JOB}
    files = [without_nulls({name: row[name] for name in _OF_A_FILE}, "errorMessage") for row in found]
    if found[0]["fileName"] is None:
        files = []
    return encoded({**without_nulls(job, "completionTime"), "files": files})


def _no_job(asked: GranuleStatusRequest) -> str:
    granule = f"collection '{asked.collection_id}' granule '{asked.granule_id}'"
    if asked.async_operation_id:
        return f"No job found for {granule} job '{asked.async_operation_id}'."
    return f"No job for {granule}."


def _rows(connection: Connection, block: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    found = connection.execute(_SQL[block], {**parameters, "most": MOST + 1}).mappings().all()
    if len(found) > MOST:
        raise AnswerError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the answer has more than {MOST:,} rows: ask for less"
        )
    return [dict(row) for row in found]
