"""What an error of AWS means, for every service and every caller: by code, then by HTTP status.

Only this module reads the errors of botocore; all others call its functions.  Importing it does not import
botocore, so that the comparison's child process can use `meaning` for plain HTTP responses.
"""

import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from orca_daemon.aws.codes import CODES, OF_TASKS, Meaning

__all__ = [
    "REQUEST_IDS",
    "Meaning",
    "behind",
    "bucket_of",
    "code_of",
    "meaning",
    "meaning_of",
    "message_of",
    "reason_of",
    "status_of",
]
_BY_CODE: Mapping[str, Meaning] = {code: meaning for meaning, codes in CODES.items() for code in codes}
_OUT_OF_TIME = ("Signature expired", "Signature not yet current")
"""Messages under the codes of a wrong signature that mean a wrong clock (AWS: SigV4 errors)."""
_URL_EXPIRED = "Request has expired"
"""S3's message, under the code AccessDenied, for a presigned URL that is too old (AWS: presigned URLs)."""
_KMS = "KMS"
"""Namespace of errors that KMS returned to S3: the key is disabled, deleted or not found."""
_BY_STATUS: Mapping[int, Meaning] = {
    HTTPStatus.UNAUTHORIZED: Meaning.CREDENTIALS,
    HTTPStatus.FORBIDDEN: Meaning.DENIED,
    HTTPStatus.NOT_FOUND: Meaning.MISSING,
    HTTPStatus.REQUEST_TIMEOUT: Meaning.PASSING,
    HTTPStatus.TOO_MANY_REQUESTS: Meaning.THROTTLED,
    HTTPStatus.NOT_IMPLEMENTED: Meaning.REFUSED,
}
REQUEST_IDS = frozenset({"x-amz-request-id", "x-amzn-requestid"})
"""Headers of which AWS sends one with every response."""
_LONGEST = 300
"""Characters of a botocore message that are reported."""
_OF_TASK = "SendTask"
"""Beginning of the names of Step Functions' calls that take the token of a task."""
_LATE_RESPONSE = 60.0
"""Seconds; a smaller difference between the clocks may be a late response."""


def meaning(code: str, status: int = 0, message: str = "", operation: str = "") -> Meaning:
    """What an error response means.

    Args:
        code: AWS's error code; the part before its last dot or `#` is a namespace.
        status: the HTTP status; 0 if unknown.
        message: AWS's error message; a few codes have several meanings without it.
        operation: the name of the call; one code means something else in one kind of calls.
    """
    namespace, _, bare = code.rpartition("#")[2].rpartition(".")
    if operation.startswith(_OF_TASK) and bare in OF_TASKS:
        return OF_TASKS[bare]
    known = _BY_CODE.get(bare)
    if known is Meaning.CREDENTIALS and any(text in message for text in _OUT_OF_TIME):
        return Meaning.CLOCK
    if known is Meaning.DENIED and _URL_EXPIRED in message:
        return Meaning.CREDENTIALS
    if known is None:
        return Meaning.DENIED if namespace == _KMS else _by_status(status)
    return known


def _by_status(status: int) -> Meaning:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    # AWS sends no error under a status below 400, so this is the response of another server.
    passes = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status < HTTPStatus.BAD_REQUEST
    return Meaning.PASSING if passes else Meaning.REFUSED


def meaning_of(error: BaseException) -> Meaning:
    """What an exception that a client raised means; REFUSED for exceptions of any other kind."""
    from orca_daemon.aws import call_errors

    if _is_response(error):
        return _meaning_of_response(error)
    if isinstance(error, call_errors.NO_CREDENTIALS):
        return Meaning.CREDENTIALS
    passes = isinstance(error, call_errors.NOT_ANSWERED) and not isinstance(error, call_errors.NOT_SENT)
    return Meaning.PASSING if passes else Meaning.REFUSED


def code_of(error: BaseException) -> str:
    """AWS's error code without its namespace; the name of the class if AWS did not answer."""
    if not _is_response(error):
        return type(error).__name__
    bare = _code(error).rpartition("#")[2].rpartition(".")[2]
    return bare or str(status_of(error) or "a response without a code")


def status_of(error: BaseException) -> int:
    """HTTP status of an error response; 0 if there was no response."""
    status = _part(error, "ResponseMetadata").get("HTTPStatusCode")
    return status if isinstance(status, int) else 0


def message_of(error: BaseException) -> str:
    """AWS's error message; empty if there is none."""
    return str(_part(error, "Error").get("Message") or "")


def bucket_of(error: BaseException) -> str:
    """The bucket that S3's error names; empty if it names none."""
    return str(_part(error, "Error").get("BucketName") or "")


def behind(error: BaseException | None) -> BaseException | None:
    """AWS's error response in the chain of causes of this exception; None if there is none."""
    while error is not None and not _is_response(error):
        error = error.__cause__
    return error


def reason_of(error: BaseException) -> str:
    """One line for operators: the code and the operation, or the exception and its cause."""
    if _is_response(error):
        text = f"{code_of(error)} on {_operation(error)}"
        match _meaning_of_response(error):
            case Meaning.CREDENTIALS:
                return f"AWS does not accept the credentials ({text})"
            case Meaning.CLOCK:
                return f"this machine's clock is wrong{_offset(error, time.time())} ({text})"
            case _:
                return f"status {text}, without a code of AWS" if _lacks_code(error) else text
    inner = getattr(error, "kwargs", {}).get("error") or error
    text = " ".join((str(inner) or str(error)).split())[:_LONGEST]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _offset(error: BaseException, now: float) -> str:
    """How far the clocks differ, if the response has a date."""
    date = (_part(error, "ResponseMetadata").get("HTTPHeaders") or {}).get("date", "")
    try:
        seconds = now - parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return ""
    if abs(seconds) < _LATE_RESPONSE:
        return ""
    return f": AWS's is {abs(seconds):.0f} s {'behind' if seconds > 0 else 'ahead'}"


def _meaning_of_response(error: BaseException) -> Meaning:
    status = status_of(error)
    if _lacks_code(error):
        # The status may be a proxy's, so it may not mean 'denied' or 'missing': those blame the message.
        return Meaning.THROTTLED if status == HTTPStatus.TOO_MANY_REQUESTS else Meaning.PASSING
    return meaning(_code(error), status, message_of(error), _operation(error))


def _lacks_code(error: BaseException) -> bool:
    """Whether the code is missing, although AWS sends one here: a proxy's page, or an empty response."""
    return _code(error) in {"", str(status_of(error))} and not _without_body(error)


def _without_body(error: BaseException) -> bool:
    """Whether this is S3's response to a HEAD, which has no body, and so no code."""
    headers = _part(error, "ResponseMetadata").get("HTTPHeaders") or {}
    content_type = headers.get("content-type", "xml")
    from_s3 = "xml" in content_type or not REQUEST_IDS.isdisjoint(headers)
    return _operation(error).startswith("Head") and from_s3


def _is_response(error: BaseException) -> bool:
    return isinstance(getattr(error, "response", None), Mapping)


def _part(error: BaseException, name: str) -> Mapping[str, Any]:
    part = error.response.get(name) if _is_response(error) else None  # type: ignore[attr-defined]  # botocore's
    return part if isinstance(part, Mapping) else {}


def _code(error: BaseException) -> str:
    return str(_part(error, "Error").get("Code") or "")


def _operation(error: BaseException) -> str:
    return str(getattr(error, "operation_name", "a request"))
