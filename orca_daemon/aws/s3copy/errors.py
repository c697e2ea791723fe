"""How a copy fails, in sentences for operators, and what each failure means for the message."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ParamValidationError

from orca_daemon.aws.errors import Meaning, bucket_of, message_of, reason_of
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject

if TYPE_CHECKING:
    from orca_daemon.aws.s3copy.objects import S3Object
    from orca_daemon.aws.s3copy.requests import S3RequestError

S3 = "s3"
_BARE = "400"
"""The answer to a HEAD with refused credentials, among other things: it has no body that says which."""
_ACTION = re.compile(r"not authorized to perform: (\S+)")
"""How AWS says which action is denied (AWS: IAM, access denied error messages)."""
_READING = ("s3:Get", "kms:Decrypt")
_COPYING = frozenset({"copy_object", "upload_part_copy"})


class CopyError(Exception):
    """The copy did not come about; worth trying again."""


class SourceChangedError(CopyError):
    """The source was replaced while it was copied; nothing was written."""


class VerificationError(CopyError):
    """The copy was written and is not what the source is."""


class ObjectMissingError(Reject):
    """The source does not exist."""


class ObjectArchivedError(Reject):
    """The source sleeps in an archive and was not restored."""


def explained(failure: "S3RequestError", source: "S3Object", target: "S3Object") -> Exception:
    """What a failed request of the copy from `source` to `target` means.

    `NotYet` where S3 asks for patience, `DependencyDown` where the place is out of reach, does not accept the
    credentials or the time, `Refused` where it denies, `Reject` where a retry cannot help, `CopyError` for
    the rest.
    """
    match failure.meaning:
        case Meaning.THROTTLED:
            # A busy prefix is nobody's fault: the place is not down, and the message is not to blame.
            return NotYet(f"S3 asks for patience ({failure.code})")
        case Meaning.CREDENTIALS | Meaning.CLOCK | Meaning.PASSING:
            return DependencyDown(S3, _passing(failure), place=failure.place)
        case Meaning.DENIED:
            sentence = _denied(failure, source, target)
            return Refused(S3, sentence, place=_place_of_denial(failure, source))
        case _:
            return _verdict(failure, source, target)


def _passing(failure: "S3RequestError") -> str:
    if failure.meaning is Meaning.CLOCK:
        return reason_of(failure.error)
    if failure.code == _BARE:
        return "the credentials are refused, or the object has a key of its own (SSE-C)"
    if failure.meaning is Meaning.CREDENTIALS:
        return f"the credentials are refused ({failure.code})"
    what = reason_of(failure.error) if failure.code.isdigit() or not failure.answered else failure.code
    return f"{what} after several tries"


def _verdict(failure: "S3RequestError", source: "S3Object", target: "S3Object") -> Exception:
    error = failure.error
    if isinstance(error, ParamValidationError):  # botocore sent nothing; the rest of its report is a pattern
        return Reject(f"{target}: {error.kwargs['report'].partition(': ')[0]}")
    if failure.code in _VERDICTS:
        kind, sentence = _VERDICTS[failure.code]
        bucket = bucket_of(error) or target.bucket
        return kind(sentence.format(source=source, target=target, bucket=bucket))
    text = f"{failure.name}: {failure.code}: {message_of(error)}" if failure.answered else str(error)
    return CopyError(f"{source} was not copied to {target}: {text}")


_VERDICTS: dict[str, tuple[Callable[[str], Exception], str]] = {
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


def _denied(failure: "S3RequestError", source: "S3Object", target: "S3Object") -> str:
    text = message_of(failure.error)
    match failure.operation:
        case "head_object":  # without the permission to list, S3 denies what does not exist
            return f"access denied: {source} may not be read, or does not exist"
        case "get_object_tagging":
            return f"access denied: the tags of {source} may not be read: {text}"
        case _:  # AWS says which action is not allowed, and often why
            return f"access denied: {failure.name} from {source} to {target}: {text}"


def _place_of_denial(failure: "S3RequestError", source: "S3Object") -> str:
    """A copy reads and writes; where AWS does not say which of them is denied, it is the writing."""
    action = _ACTION.search(message_of(failure.error))
    if failure.operation in _COPYING and action and action[1].startswith(_READING):
        return f"read {source.bucket}"
    return failure.place
