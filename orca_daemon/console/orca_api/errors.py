"""Errors of ORCA's read API: always JSON in ORCA's shape, and never with SQL or values of rows."""

import json
from http import HTTPStatus
from uuid import uuid4

from fastapi.responses import Response

from orca_daemon.console.orca_api.requests import BodyError
from orca_daemon.db.failures import PostgresError
from orca_daemon.engine.errors import DependencyDown, Reject

TIMED_OUT = "57014"
"""query_canceled, by the time limit of statements."""
_TYPES = {
    # Python 3.13 and newer give this status another name.
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "ContentTooLarge",
}


class AnswerError(Exception):
    """The request is answered with this status and message."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


def failure(status: int, message: str) -> Response:
    """An answer in ORCA's shape (contract: error object); `errorType` is the status' name in one word."""
    known = HTTPStatus(status)
    content = {
        "errorType": _TYPES.get(known) or known.phrase.title().replace(" ", "").replace("-", ""),
        "httpStatus": int(known),
        "requestId": str(uuid4()),
        "message": message,
    }
    return Response(json.dumps(content), known, media_type="application/json")


def answer_to(error: Exception) -> Response | None:  # noqa: PLR0911  a table of errors
    """The answer to a request that ended with this error; None if it is not one that a request can cause."""
    match error:
        case BodyError():
            return failure(HTTPStatus.BAD_REQUEST, str(error))
        case AnswerError():
            return failure(error.status, str(error))
        case DependencyDown():
            return failure(HTTPStatus.SERVICE_UNAVAILABLE, "the database cannot be read now")
        case PostgresError() if error.sqlstate == TIMED_OUT:
            return failure(HTTPStatus.GATEWAY_TIMEOUT, "the database did not answer in time")
        case Reject():
            return failure(HTTPStatus.BAD_REQUEST, "the database cannot hold a value of this request")
        case PostgresError():
            code = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
            return failure(HTTPStatus.INTERNAL_SERVER_ERROR, f"the database reports an error{code}")
        case _:
            return None
