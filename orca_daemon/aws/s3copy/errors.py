"""How a copy fails, in sentences for operators, and what each failure means for the message."""

from collections.abc import Mapping
from http import HTTPStatus

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    ParamValidationError,
)

from orca_daemon.engine.errors import DependencyDown, NotYet, Reject

SLOW = frozenset(
    {
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "RequestTimeout",
        "ServiceUnavailable",
        "503",  # the answer to HEAD has no body that says more
    }
)
"""Answers below 500 (and some above) that ask for patience."""
EXPIRED = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired", "InvalidToken"}
)
"""Credentials that were good and are no more: a matter of time, not of the message."""
_BARE = "400"
"""The answer to a HEAD with such credentials, among other things: it has no body that says which."""


class CopyFailed(Exception):  # noqa: N818  a verdict with a sentence
    """The copy did not come about; worth trying again."""


class SourceChanged(CopyFailed):
    """The source was replaced while it was copied; nothing was written."""


class Unfit(CopyFailed):
    """The copy was written and is not what the source is."""


class Missing(Reject):
    """The source does not exist."""


class Archived(Reject):
    """The source sleeps in an archive and was not restored."""


def status_of(error: ClientError) -> int:
    """The HTTP status of an answer."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code_of(error: BaseException) -> str:
    """S3's code of an error, or the name of its class."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return type(error).__name__


def transient(error: BaseException) -> bool:
    """Whether the same request may succeed in a moment: throttled, a fault of S3, or the network."""
    if isinstance(error, ClientError):
        status, code = status_of(error), code_of(error)
        return status >= HTTPStatus.INTERNAL_SERVER_ERROR or code in SLOW
    return isinstance(error, BotoCoreError | OSError) and not isinstance(error, ParamValidationError)


def explained(error: BaseException, source: object, target: object) -> Exception:
    """What a failed request of the copy from `source` to `target` means.

    `NotYet` where S3 asks for patience, `DependencyDown` where it is unreachable or refuses the credentials,
    `Reject` where a retry cannot help, `CopyFailed` for the rest.
    """
    code = code_of(error)
    if passing := _passing(error, code):
        return passing
    if isinstance(error, ParamValidationError):  # botocore sent nothing; the rest of its report is a pattern
        return Reject(f"{target}: {error.kwargs['report'].partition(': ')[0]}")
    if not isinstance(error, ClientError):
        return CopyFailed(f"{source} was not copied to {target}: {error}")
    if code in _VERDICTS:
        kind, sentence = _VERDICTS[code]
        bucket = error.response["Error"].get("BucketName") or getattr(target, "bucket", target)
        return kind(sentence.format(source=source, target=target, bucket=bucket))
    text = error.response.get("Error", {}).get("Message", "")
    if status_of(error) == HTTPStatus.FORBIDDEN:
        return CopyFailed(_denied(error.operation_name, source, target, text))
    return CopyFailed(f"{source} was not copied to {target}: {error.operation_name}: {code}: {text}")


def _passing(error: BaseException, code: str) -> Exception | None:
    """What time alone will mend."""
    if code in EXPIRED or isinstance(error, NoCredentialsError | CredentialRetrievalError):
        return DependencyDown("s3", f"the credentials are refused ({code})")
    if code == _BARE:
        return DependencyDown("s3", "the credentials are refused, or the object has a key of its own (SSE-C)")
    if code in SLOW:
        # A busy prefix is nobody's fault; a probe of S3 would find nothing wrong, and blame the message.
        return NotYet(f"S3 asks for patience ({code})")
    if transient(error):
        return DependencyDown("s3", f"{code} after several tries")
    return None


_VERDICTS: Mapping[str, tuple[type[Exception], str]] = {
    "PreconditionFailed": (SourceChanged, "{source} was replaced while it was copied"),
    "InvalidObjectState": (Archived, "{source} is archived and not restored (or its restore has expired)"),
    "NoSuchKey": (Missing, "{source} does not exist"),
    "NoSuchVersion": (SourceChanged, "{source} was removed while it was copied"),
    "NoSuchBucket": (Reject, "bucket {bucket} does not exist"),
    "NoSuchUpload": (CopyFailed, "the multipart upload to {target} was aborted by somebody else"),
}


def _denied(operation: str, source: object, target: object, text: str) -> str:
    match operation:
        case "HeadObject":  # without the permission to list, S3 denies what does not exist
            return f"access denied: {source} may not be read, or does not exist"
        case "GetObjectTagging":
            return f"access denied: the tags of {source} may not be read: {text}"
        case _:  # AWS says which action is not allowed, and often why
            return f"access denied: {operation} from {source} to {target}: {text}"
