"""recovery queue: everything that may lie on it."""

from orca_daemon.wire import copy, s3_event
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.s3_event import S3Notification

RecoveryMessage = CopyRequest | S3Notification


def decode(body: str) -> RecoveryMessage:
    """The copy request or the S3 notification in this body.  Raises `Malformed`."""
    if s3_event.is_notification(s3_event.json_object(body)):
        return s3_event.decode(body)
    return copy.decode(body)
