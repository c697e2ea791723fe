"""What an error of AWS means, for every service and every caller: by code, then by HTTP status.

No other module looks into the errors of botocore: they ask the functions here.  `meaning` needs no botocore,
so that the process that compares can use it for plain HTTP answers too.
"""

import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from orca_daemon.aws.codes import CODES, Meaning

__all__ = [
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
"""How the general codes of a wrong signature say that it is a matter of the clock (AWS: SigV4 errors)."""
_URL_EXPIRED = "Request has expired"
"""How S3 says under the code AccessDenied that a presigned URL is too old (AWS: presigned URLs)."""
_KMS = "KMS"
"""Namespace of what KMS answered to S3: a key that is disabled, deleted, or not found is not ours to use."""
_BY_STATUS: Mapping[int, Meaning] = {
    HTTPStatus.UNAUTHORIZED: Meaning.CREDENTIALS,
    HTTPStatus.FORBIDDEN: Meaning.DENIED,
    HTTPStatus.NOT_FOUND: Meaning.MISSING,
    HTTPStatus.REQUEST_TIMEOUT: Meaning.PASSING,
    HTTPStatus.TOO_MANY_REQUESTS: Meaning.THROTTLED,
    HTTPStatus.NOT_IMPLEMENTED: Meaning.REFUSED,
}
_REQUEST_IDS = frozenset({"x-amz-request-id", "x-amzn-requestid"})
_LONGEST = 300
_LIKELY_LATE = 60.0
"""Seconds by which an answer may be late; what is off by more is off."""


def meaning(code: str, status: int = 0, message: str = "") -> Meaning:
    """What an error answer means.

    Args:
        code: AWS's error code; what stands before its last dot or `#` is a namespace.
        status: the HTTP status; 0 where it is not known.
        message: AWS's sentence; only a few codes are not clear without it.
    """
    namespace, _, bare = code.rpartition("#")[2].rpartition(".")
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
    # An error without a code, under a status that is none: whatever spoke, it was not AWS.
    passes = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status < HTTPStatus.BAD_REQUEST
    return Meaning.PASSING if passes else Meaning.REFUSED


def meaning_of(error: BaseException) -> Meaning:
    """What an error that a client raised means; REFUSED for an error of any other kind."""
    from orca_daemon.aws import call_errors

    if _is_answer(error):
        return _meaning_of_answer(error)
    if isinstance(error, call_errors.NO_CREDENTIALS):
        return Meaning.CREDENTIALS
    passes = isinstance(error, call_errors.NOT_ANSWERED) and not isinstance(error, call_errors.NOT_SENT)
    return Meaning.PASSING if passes else Meaning.REFUSED


def code_of(error: BaseException) -> str:
    """AWS's code of an error without its namespace; the name of the class where it is no answer of AWS."""
    if not _is_answer(error):
        return type(error).__name__
    bare = _code(error).rpartition("#")[2].rpartition(".")[2]
    return bare or str(status_of(error) or "an answer without a code")


def status_of(error: BaseException) -> int:
    """HTTP status of an error answer; 0 where there was none."""
    status = _part(error, "ResponseMetadata").get("HTTPStatusCode")
    return status if isinstance(status, int) else 0


def message_of(error: BaseException) -> str:
    """AWS's own sentence; empty where there is none."""
    return str(_part(error, "Error").get("Message") or "")


def bucket_of(error: BaseException) -> str:
    """The bucket that S3's error names; empty where it names none."""
    return str(_part(error, "Error").get("BucketName") or "")


def behind(error: BaseException | None) -> BaseException | None:
    """The error answer of AWS that led to this error of ours; None where it was something else."""
    while error is not None and not _is_answer(error):
        error = error.__cause__
    return error


def reason_of(error: BaseException) -> str:
    """One line for operators: the code and the operation, or what failed and what is behind it."""
    if _is_answer(error):
        text = f"{code_of(error)} on {_operation(error)}"
        match _meaning_of_answer(error):
            case Meaning.CREDENTIALS:
                return f"AWS does not accept the credentials ({text})"
            case Meaning.CLOCK:
                return f"this machine's clock is wrong{_offset(error, time.time())} ({text})"
            case _:
                return f"status {text}, without a code of AWS" if _is_bare(error) else text
    inner = getattr(error, "kwargs", {}).get("error") or error
    text = " ".join((str(inner) or str(error)).split())[:_LONGEST]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _offset(error: BaseException, now: float) -> str:
    """By how much, where the answer has a date."""
    date = (_part(error, "ResponseMetadata").get("HTTPHeaders") or {}).get("date", "")
    try:
        seconds = now - parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return ""
    if abs(seconds) < _LIKELY_LATE:
        return ""
    return f": AWS's is {abs(seconds):.0f} s {'behind' if seconds > 0 else 'ahead'}"


def _meaning_of_answer(error: BaseException) -> Meaning:
    status = status_of(error)
    if _is_bare(error):
        # What the status says is believed only where it blames nobody.
        return Meaning.THROTTLED if status == HTTPStatus.TOO_MANY_REQUESTS else Meaning.PASSING
    return meaning(_code(error), status, message_of(error))


def _is_bare(error: BaseException) -> bool:
    """Whether it has no code where every error of AWS has one: a page of a proxy, or nothing at all."""
    return _code(error) in {"", str(status_of(error))} and not _without_body(error)


def _without_body(error: BaseException) -> bool:
    """Whether this is an answer of S3 to HEAD, which has no body that could hold a code."""
    headers = _part(error, "ResponseMetadata").get("HTTPHeaders") or {}
    kind = headers.get("content-type", "xml")
    is_of_s3 = "xml" in kind or not _REQUEST_IDS.isdisjoint(headers)
    return _operation(error).startswith("Head") and is_of_s3


def _is_answer(error: BaseException) -> bool:
    return isinstance(getattr(error, "response", None), Mapping)


def _part(error: BaseException, name: str) -> Mapping[str, Any]:
    part = error.response.get(name) if _is_answer(error) else None  # type: ignore[attr-defined]  # botocore's
    return part if isinstance(part, Mapping) else {}


def _code(error: BaseException) -> str:
    return str(_part(error, "Error").get("Code") or "")


def _operation(error: BaseException) -> str:
    return str(getattr(error, "operation_name", "a request"))
