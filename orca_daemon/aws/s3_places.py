"""Places of S3 (`read`, `write`, `restore BUCKET`), which the engine judges one by one, and errors there."""

from orca_daemon.aws.errors import Meaning, code_of, meaning_of, reason_of
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused

S3 = "s3"
"""Name of the dependency."""


def reading(bucket: str) -> str:
    """The place where objects of a bucket are read and listed."""
    return f"read {bucket}"


def writing(bucket: str) -> str:
    """The place where objects of a bucket are written."""
    return f"write {bucket}"


def restoring(bucket: str) -> str:
    """The place where objects of a bucket are restored: an archive that nobody may write can do that."""
    return f"restore {bucket}"


def at_place(error: Exception, place: str) -> Exception:
    """The exception to raise for an error of a call at this place.

    `NotYet` if S3 asks to slow down; `DependencyDown` if the place does not answer, or refuses the
    credentials or the time of the signature; `Refused` if it denies access.  Any other error is returned
    unchanged, because only the caller knows what it means.
    """
    match meaning_of(error):
        case Meaning.THROTTLED:
            return NotYet(f"S3 asks to slow down ({code_of(error)}, {place})")
        case Meaning.PASSING | Meaning.CREDENTIALS | Meaning.CLOCK:
            return DependencyDown(S3, reason_of(error), place=place)
        case Meaning.DENIED:
            return Refused(S3, f"S3 denies the permission to {place}: {reason_of(error)}", place=place)
        case Meaning.MISSING | Meaning.REFUSED:
            return error
