"""S3 notifications: events of objects, in the formats of S3, SNS, EventBridge and ORCA itself."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import unquote_plus

from pydantic import BeforeValidator, Field

from orca_daemon.wire.s3_names import Bucket, Key, is_region, key_problem
from orca_daemon.wire.wire_model import Label, MalformedError, Name, WireModel, json_object, read

_MOST_ENVELOPES = 3
"""EventBridge may publish to SNS, which delivers to SQS: more nested envelopes do not occur."""


class S3Record(WireModel):
    """One event of one object.  The key is decoded."""

    bucket: Bucket
    key: Key
    name: Label | None = None
    """`ObjectRestore:Completed` and the like, without `s3:`; None in the records that ORCA makes itself."""
    region: str | None = None
    version_id: Label | None = None
    time: datetime | None = None
    """Time of the event by S3's clock."""


class S3Notification(WireModel):
    """The events of one message, in S3's order.

    The test event, and a message with an empty list, have no records.
    """

    records: tuple[S3Record, ...] = ()
    test: bool = False
    """Whether this is the test event that S3 sends when notifications are set up."""


def _region(value: object) -> str | None:
    """The region if the value is the name of one, else None: S3-compatible stores may write other texts."""
    return value if isinstance(value, str) and is_region(value) else None


def _time(value: object) -> datetime | None:
    """A time as S3 writes it, else None: it is not important enough to refuse a message for its format."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return time if time and time.tzinfo else None


_Region = Annotated[str | None, BeforeValidator(_region)]
_Time = Annotated[datetime | None, BeforeValidator(_time)]


class _Bucket(WireModel):
    name: Bucket


class _Object(WireModel):
    key: Name
    """URL-encoded by S3, or raw, depending on the event's source: see `_key`."""
    version_id: Label | None = None


class _Entity(WireModel):
    bucket: _Bucket
    s3_object: _Object = Field(alias="object")


class _Record(WireModel):
    event_source: Label | None = None
    event_name: Label | None = None
    aws_region: _Region = None
    event_time: _Time = None
    s3: _Entity


class _Records(WireModel):
    records: tuple[_Record, ...] = Field(alias="Records", strict=False)


class _EventBridgeObject(WireModel):
    key: Key
    version_id: Label | None = Field(default=None, alias="version-id")


class _Detail(WireModel):
    bucket: _Bucket
    s3_object: _EventBridgeObject = Field(alias="object")


class _EventBridgeEvent(WireModel):
    kind: Label = Field(alias="detail-type")
    region: _Region = None
    time: _Time = None
    detail: _Detail


_EVENT_NAMES: Mapping[str, str] = {
    "Object Created": "ObjectCreated:",
    "Object Restore Initiated": "ObjectRestore:Post",
    "Object Restore Completed": "ObjectRestore:Completed",
    "Object Restore Expired": "ObjectRestore:Delete",
}
"""Names of events in EventBridge, and those of the same events in S3's notifications."""


def is_notification(document: Mapping[str, Any]) -> bool:
    """Whether this JSON object has the format of a notification or of an envelope."""
    return (
        "Records" in document
        or document.get("Event") == "s3:TestEvent"
        or document.get("source") == "aws.s3"
        or _is_envelope(document)
    )


def decode_object(document: Mapping[str, Any]) -> S3Notification:
    """Read the events in this JSON object, and remove its envelopes.

    Raises:
        MalformedError: it is not a valid S3 notification.
    """
    for _ in range(_MOST_ENVELOPES):
        if not _is_envelope(document):
            return _decode(document)
        text = document.get("Message")
        if not isinstance(text, str):
            raise MalformedError("not a valid SNS envelope: Message is not a string")
        try:
            document = json_object(text)
        except MalformedError as error:
            raise MalformedError(f"not a valid SNS envelope: Message: {error}") from None
    raise MalformedError("not a valid SNS envelope: too many nested envelopes")


def _is_envelope(document: Mapping[str, Any]) -> bool:
    return document.get("Type") == "Notification" and "TopicArn" in document


def _decode(document: Mapping[str, Any]) -> S3Notification:
    if document.get("Event") == "s3:TestEvent":
        return S3Notification(test=True)
    if document.get("source") == "aws.s3":
        return S3Notification(
            records=(_from_event_bridge(read(_EventBridgeEvent, document, "EventBridge event")),)
        )
    records = read(_Records, document, "S3 notification").records
    return S3Notification(records=tuple(_from_record(index, record) for index, record in enumerate(records)))


def _from_record(index: int, record: _Record) -> S3Record:
    return S3Record(
        bucket=record.s3.bucket.name,
        key=_key(index, record),
        name=record.event_name.removeprefix("s3:") if record.event_name else None,
        region=record.aws_region,
        version_id=record.s3.s3_object.version_id,
        time=record.event_time,
    )


def _key(index: int, record: _Record) -> str:
    # S3 URL-encodes keys.  ORCA's own records, which name no event source, have them unencoded.
    raw = record.s3.s3_object.key
    try:
        key = raw if record.event_source is None else unquote_plus(raw, errors="strict")
        problem = key_problem(key)
    except UnicodeDecodeError:
        key, problem = "", "is not UTF-8 when decoded"
    if problem:
        raise MalformedError(f"not a valid S3 notification: Records[{index}].s3.object.key {problem}")
    return key


def _from_event_bridge(event: _EventBridgeEvent) -> S3Record:
    # EventBridge delivers keys unencoded (AWS: S3 event message structure).
    return S3Record(
        bucket=event.detail.bucket.name,
        key=event.detail.s3_object.key,
        name=_EVENT_NAMES.get(event.kind, event.kind),
        region=event.region,
        version_id=event.detail.s3_object.version_id,
        time=event.time,
    )
