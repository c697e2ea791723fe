"""S3 notifications: what happened to which objects, as S3, SNS, EventBridge and ORCA itself say it."""

import json
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from pydantic import Field

from orca_daemon.wire.shape import Malformed, Name, Shape, Text, read

_DEEPEST = 3
"""EventBridge may publish to SNS, which delivers to SQS; nobody wraps more often than that."""


class S3Record(Shape):
    """One event of one object.  The key is the object's own, decoded."""

    bucket: str
    key: str
    name: str | None = None
    """`ObjectRestore:Completed` and the like, without `s3:`; None in ORCA's synthetic records."""
    region: str | None = None
    version_id: str | None = None
    time: datetime | None = None
    """When it happened, by S3's clock."""


class S3Notification(Shape):
    """The events of one message, in S3's order; none in the test that S3 sends to a new subscriber."""

    records: tuple[S3Record, ...] = ()
    test: bool = False


class _Bucket(Shape):
    name: Name


class _Object(Shape):
    key: Name
    version_id: Text | None = None


class _Entity(Shape):
    bucket: _Bucket
    thing: _Object = Field(alias="object")


class _Record(Shape):
    event_source: Text | None = None
    event_name: Text | None = None
    aws_region: Text | None = None
    event_time: object = None
    s3: _Entity


class _Records(Shape):
    records: tuple[_Record, ...] = Field(alias="Records", min_length=1)


class _BridgedObject(Shape):
    key: Name
    version_id: Text | None = Field(default=None, alias="version-id")


class _Detail(Shape):
    bucket: _Bucket
    thing: _BridgedObject = Field(alias="object")


class _Bridged(Shape):
    kind: Text = Field(alias="detail-type")
    region: Text | None = None
    time: object = None
    detail: _Detail


_BRIDGED_NAMES = {
    "Object Created": "ObjectCreated:",
    "Object Restore Initiated": "ObjectRestore:Post",
    "Object Restore Completed": "ObjectRestore:Completed",
    "Object Restore Expired": "ObjectRestore:Delete",
}


def is_notification(document: dict[str, Any]) -> bool:
    """Whether this JSON object is one that `decode` is meant for."""
    return (
        "Records" in document
        or document.get("Event") == "s3:TestEvent"
        or document.get("source") == "aws.s3"
        or (document.get("Type") == "Notification" and "TopicArn" in document)
    )


def decode(body: str) -> S3Notification:
    """The events in this body, out of whatever envelope it came in.

    Raises:
        Malformed: this is no S3 notification.
    """
    for _ in range(_DEEPEST):
        document = json_object(body)
        if not (document.get("Type") == "Notification" and "TopicArn" in document):
            return _decode(body, document)
        inner = document.get("Message")
        if not isinstance(inner, str):
            raise Malformed("not a valid SNS envelope: Message is not a string")
        body = inner
    raise Malformed("not a valid SNS envelope: it holds nothing but envelopes")


def json_object(body: str) -> dict[str, Any]:
    """The JSON object in this body.  Raises `Malformed` where it is something else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed("the body is not JSON") from None
    if not isinstance(document, dict):
        raise Malformed("the body is JSON, but not an object")
    return document


def _decode(body: str, document: dict[str, Any]) -> S3Notification:
    if document.get("Event") == "s3:TestEvent":
        return S3Notification(test=True)
    if document.get("source") == "aws.s3":
        return S3Notification(records=(_bridged(read(_Bridged, body, "EventBridge event")),))
    records = read(_Records, body, "S3 notification").records
    return S3Notification(records=tuple(_plain(record) for record in records))


def _plain(record: _Record) -> S3Record:
    # S3 encodes the keys that it sends; ORCA's own records, which name no source, carry them raw.
    key = record.s3.thing.key
    return S3Record(
        bucket=record.s3.bucket.name,
        key=key if record.event_source is None else _unquote(key),
        name=record.event_name.removeprefix("s3:") if record.event_name else None,
        region=record.aws_region,
        version_id=record.s3.thing.version_id,
        time=_moment(record.event_time),
    )


def _moment(value: object) -> datetime | None:
    """A time as S3 writes it; nothing depends so much on it that another form would be a mistake."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None


def _unquote(key: str) -> str:
    try:
        plain = unquote_plus(key, errors="strict")
    except UnicodeDecodeError:
        raise Malformed("not a valid S3 notification: a key is not UTF-8 when decoded") from None
    if "\0" in plain:
        raise Malformed("not a valid S3 notification: a key holds a NUL character")
    return plain


def _bridged(event: _Bridged) -> S3Record:
    # EventBridge delivers keys as they are (AWS: S3 event message structure).
    return S3Record(
        bucket=event.detail.bucket.name,
        key=event.detail.thing.key,
        name=_BRIDGED_NAMES.get(event.kind, event.kind),
        region=event.region,
        version_id=event.detail.thing.version_id,
        time=_moment(event.time),
    )
