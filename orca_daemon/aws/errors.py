"""What an error of AWS means, for every service and every caller: one table, by code, then by HTTP status.

It needs no botocore, so that the process that compares can use it for plain HTTP answers too.
"""

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any


class Meaning(StrEnum):
    """What an error of AWS asks of the caller."""

    THROTTLED = "throttled"
    """Too many requests: wait, and charge nobody."""
    PASSING = "passing"
    """A fault of AWS or of the network, or an answer that proves nothing: it may pass."""
    CREDENTIALS = "credentials"
    """The credentials or a signature are not accepted, or not any more: get new ones, sign again."""
    CLOCK = "clock"
    """A signature is out of its time: this machine's clock is wrong, or the request was long under way."""
    DENIED = "denied"
    """We are known and not allowed, or a key of KMS is not ours to use."""
    MISSING = "missing"
    """The bucket, object, queue, secret or parameter does not exist."""
    REFUSED = "refused"
    """The request itself is wrong: the same again gets the same answer."""


_CODES: Mapping[Meaning, frozenset[str]] = {
    Meaning.THROTTLED: frozenset(
        {
            "SlowDown",
            "BandwidthLimitExceeded",
            "KmsThrottled",
            "LimitExceededException",
            "OverLimit",
            "PriorRequestNotComplete",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "ThrottledException",
            "Throttling",
            "ThrottlingException",
            "TooManyRequests",
            "TooManyRequestsException",
            # S3's SlowDown in other words ("Reduce your request rate").
            "ServiceUnavailable",
            # The answer to HEAD has no body that says more.
            "503",
        }
    ),
    Meaning.PASSING: frozenset(
        {
            "InternalError",
            "InternalFailure",
            "InternalServerError",
            "InternalServiceError",
            "OperationAborted",
            "RequestTimeout",
            "RequestTimeoutException",
            "ServiceUnavailableException",
        }
    ),
    Meaning.CREDENTIALS: frozenset(
        {
            "AuthFailure",
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSecurity",
            "InvalidSignatureException",
            "InvalidToken",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "SignatureDoesNotMatch",
            "TokenRefreshRequired",
            "UnrecognizedClientException",
            # The answer to a HEAD with such credentials, among other things: it has no body that says which.
            "400",
        }
    ),
    Meaning.CLOCK: frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"}),
    Meaning.DENIED: frozenset(
        {
            "AccessDenied",
            "AccessDeniedException",
            "AccountProblem",
            "AllAccessDisabled",
            "KmsAccessDenied",
            "KmsDisabled",
            "KmsInvalidKeyUsage",
            "KmsInvalidState",
            "KmsNotFound",
            "KmsOptInRequired",
            "NotSignedUp",
            "OptInRequired",
            "UnauthorizedOperation",
        }
    ),
    Meaning.MISSING: frozenset(
        {
            "404",
            "InvalidAddress",
            "NoSuchBucket",
            "NoSuchKey",
            "NoSuchUpload",
            "NoSuchVersion",
            "NonExistentQueue",
            "NotFound",
            "ParameterNotFound",
            "QueueDoesNotExist",
            "ResourceNotFoundException",
        }
    ),
}
_BY_CODE: Mapping[str, Meaning] = {code: meaning for meaning, codes in _CODES.items() for code in codes}
_OUT_OF_TIME = ("Signature expired", "Signature not yet current")
"""How the general codes of a wrong signature say that it is a matter of the clock (AWS: SigV4 errors)."""
_URL_EXPIRED = "Request has expired"
"""How S3 says under the code AccessDenied that a presigned URL is too old (AWS: presigned URLs)."""
_BY_STATUS: Mapping[int, Meaning] = {
    HTTPStatus.UNAUTHORIZED: Meaning.CREDENTIALS,
    HTTPStatus.FORBIDDEN: Meaning.DENIED,
    HTTPStatus.NOT_FOUND: Meaning.MISSING,
    HTTPStatus.REQUEST_TIMEOUT: Meaning.PASSING,
    HTTPStatus.TOO_MANY_REQUESTS: Meaning.THROTTLED,
}


def meaning(code: str, status: int = 0, message: str = "") -> Meaning:
    """What an error answer means.

    Args:
        code: AWS's error code; what stands before its last dot or `#` is a namespace and counts for nothing.
        status: the HTTP status; 0 where it is not known.
        message: AWS's sentence; only a few codes are not clear without it.
    """
    code = code.rpartition("#")[2].rpartition(".")[2]
    known = _BY_CODE.get(code)
    if known is Meaning.CREDENTIALS and any(text in message for text in _OUT_OF_TIME):
        return Meaning.CLOCK
    if known is Meaning.DENIED and _URL_EXPIRED in message:
        return Meaning.CREDENTIALS
    if known is not None:
        return known
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status < HTTPStatus.BAD_REQUEST:
        # An error without a code, under a status that is none: whatever spoke, it was not AWS.
        return Meaning.PASSING
    return _BY_STATUS.get(status, Meaning.REFUSED)


def meaning_of(error: BaseException) -> Meaning:
    """What an error that a client raised means; PASSING where there was no answer."""
    if not isinstance(getattr(error, "response", None), Mapping):
        return Meaning.PASSING
    return meaning(code_of(error), status_of(error), message_of(error))


def code_of(error: BaseException) -> str:
    """AWS's code of an error; the name of the class where it is no answer of AWS."""
    return str(_part(error, "Error").get("Code") or type(error).__name__)


def status_of(error: BaseException) -> int:
    """HTTP status of an error answer; 0 where there was none."""
    return int(_part(error, "ResponseMetadata").get("HTTPStatusCode") or 0)


def message_of(error: BaseException) -> str:
    """AWS's own sentence; empty where there is none."""
    return str(_part(error, "Error").get("Message") or "")


def reason_of(error: BaseException) -> str:
    """One line for operators."""
    return f"{code_of(error)} on {getattr(error, 'operation_name', 'a request')}"


def _part(error: BaseException, name: str) -> Mapping[str, Any]:
    part = getattr(error, "response", {}).get(name)
    return part if isinstance(part, Mapping) else {}
