"""What a call that failed at a place of S3 means for the work that made it."""

from orca_daemon.aws.errors import Meaning, code_of, meaning_of, reason_of
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused

S3 = "s3"


def reading(bucket: str) -> str:
    """The place where objects of a bucket are read and listed."""
    return f"read {bucket}"


def writing(bucket: str) -> str:
    """The place where they are written."""
    return f"write {bucket}"


def at_place(error: Exception, place: str) -> Exception:
    """The error to raise instead.

    `NotYet` where S3 asks to slow down, `DependencyDown` where the place does not answer, or does not accept
    the credentials or the time, `Refused` where it denies; the error itself where only the caller can tell.
    """
    match meaning_of(error):
        case Meaning.THROTTLED:
            return NotYet(f"S3 asks to slow down ({code_of(error)}, {place})")
        case Meaning.PASSING | Meaning.CREDENTIALS | Meaning.CLOCK:
            return DependencyDown(S3, reason_of(error), place=place)
        case Meaning.DENIED:
            return Refused(S3, f"S3 denies to {place}: {reason_of(error)}", place=place)
        case Meaning.MISSING | Meaning.REFUSED:
            return error
