"""Exceptions of a copy, with sentences for operators, and what a failed request means for the message."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ParamValidationError

from orca_daemon.aws.errors import Meaning, bucket_of, message_of, reason_of
from orca_daemon.aws.s3_places import S3, reading
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject

if TYPE_CHECKING:
    from orca_daemon.aws.s3copy.objects import S3Object
    from orca_daemon.aws.s3copy.requests import S3RequestError

_HEAD_REFUSED = "400"
"""S3's response to a HEAD with refused credentials, and in other cases: it has no body with the reason."""
_ACTION = re.compile(r"not authorized to perform: (\S+)")
"""The denied action in AWS's message (AWS: IAM, access denied error messages)."""
_READ_ACTIONS = ("s3:Get", "kms:Decrypt")
_COPIES = frozenset({"copy_object", "upload_part_copy"})


class CopyError(Exception):
    """The copy failed; another attempt may succeed."""


class SourceChangedError(CopyError):
    """The source was replaced during the copy; nothing was written."""


class VerificationError(CopyError):
    """The copy was written, and differs from the source."""


class ObjectMissingError(Reject):
    """The source does not exist."""


class ObjectArchivedError(Reject):
    """The source is in an archive storage class, and not restored."""


def explained(failure: "S3RequestError", source: "S3Object", target: "S3Object") -> Exception:
    """The exception to raise for a failed request of the copy from `source` to `target`.

    `NotYet` if S3 asks to slow down; `DependencyDown` if the place does not answer, or refuses the
    credentials or the time of the signature; `Refused` if it denies access; `Reject` if a retry cannot help;
    `CopyError` for the rest.
    """
    match failure.meaning:
        case Meaning.THROTTLED:
            # A busy prefix: the place is not down, and the message is not to blame.
            return NotYet(f"S3 asks to slow down ({failure.code})")
        case Meaning.CREDENTIALS | Meaning.CLOCK | Meaning.PASSING:
            return DependencyDown(S3, _outage(failure), place=failure.place)
        case Meaning.DENIED:
            sentence = _denial(failure, source, target)
            return Refused(S3, sentence, place=_place_of_denial(failure, source))
        case _:
            return _own_failure(failure, source, target)


def _outage(failure: "S3RequestError") -> str:
    if failure.meaning is Meaning.CLOCK:
        return reason_of(failure.error)
    if failure.code == _HEAD_REFUSED:
        return "the credentials are refused, or the object has a key of its own (SSE-C)"
    if failure.meaning is Meaning.CREDENTIALS:
        return f"the credentials are refused ({failure.code})"
    reason = reason_of(failure.error) if failure.code.isdigit() or not failure.answered else failure.code
    return f"{reason} after several tries"


def _own_failure(failure: "S3RequestError", source: "S3Object", target: "S3Object") -> Exception:
    error = failure.error
    if isinstance(error, ParamValidationError):  # nothing was sent; the rest of the report is a regex
        return Reject(f"{target}: {error.kwargs['report'].partition(': ')[0]}")
    if failure.code in _OWN_FAILURES:
        kind, sentence = _OWN_FAILURES[failure.code]
        bucket = bucket_of(error) or target.bucket
        return kind(sentence.format(source=source, target=target, bucket=bucket))
    text = f"{failure.name}: {failure.code}: {message_of(error)}" if failure.answered else str(error)
    return CopyError(f"{source} was not copied to {target}: {text}")


_OWN_FAILURES: dict[str, tuple[Callable[[str], Exception], str]] = {
    "PreconditionFailed": (SourceChangedError, "{source} was replaced while it was copied"),
    "InvalidObjectState": (
        ObjectArchivedError,
        "{source} is archived and not restored (or its restore has expired)",
    ),
    "NoSuchKey": (ObjectMissingError, "{source} does not exist"),
    "NoSuchVersion": (SourceChangedError, "{source} was removed while it was copied"),
    "NoSuchBucket": (Reject, "bucket {bucket} does not exist"),
    "NoSuchUpload": (CopyError, "the multipart upload to {target} was aborted by somebody else"),
}


def _denial(failure: "S3RequestError", source: "S3Object", target: "S3Object") -> str:
    text = message_of(failure.error)
    match failure.operation:
        case "head_object":  # without s3:ListBucket, S3 denies a HEAD of an object that does not exist
            return f"access denied: {source} may not be read, or does not exist"
        case "get_object_tagging":
            return f"access denied: the tags of {source} may not be read: {text}"
        case _:  # AWS's message names the denied action, and often the policy
            return f"access denied: {failure.name} from {source} to {target}: {text}"


def _place_of_denial(failure: "S3RequestError", source: "S3Object") -> str:
    """A copy reads and writes.  If AWS does not name the denied action, take it for the write."""
    action = _ACTION.search(message_of(failure.error))
    if failure.operation in _COPIES and action and action[1].startswith(_READ_ACTIONS):
        return reading(source.bucket)
    return failure.place
