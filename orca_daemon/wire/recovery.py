"""The messages on the recovery queue: copy requests and S3 notifications."""

from orca_daemon.wire import copy, s3_event
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.file_reference import FileReference
from orca_daemon.wire.s3_event import S3Notification
from orca_daemon.wire.wire_model import MalformedError, json_object, read

RecoveryMessage = CopyRequest | S3Notification


def decode(body: str) -> RecoveryMessage:
    """Read the copy request or the S3 notification in this body.  Raises `MalformedError`."""
    document = json_object(body)
    if s3_event.is_notification(document):
        return s3_event.decode_object(document)
    return copy.decode_object(document)


def file_of(body: str) -> FileReference | None:
    """The file that a copy request names, even if its other fields are wrong; None if it names no file."""
    try:
        document = json_object(body)
        return None if s3_event.is_notification(document) else read(FileReference, document, "copy request")
    except MalformedError:
        return None
