"""S3 notifications: what happened to which objects, as S3, SNS, EventBridge and ORCA itself say it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import unquote_plus

from pydantic import BeforeValidator, Field

from orca_daemon.wire.s3_names import Bucket, Key, is_region, key_problem
from orca_daemon.wire.wire_model import Label, MalformedError, Name, WireModel, json_object, read

_DEEPEST = 3
"""EventBridge may publish to SNS, which delivers to SQS; nobody wraps more often than that."""


class S3Record(WireModel):
    """One event of one object.  The key is the object's own, decoded."""

    bucket: Bucket
    key: Key
    name: Label | None = None
    """`ObjectRestore:Completed` and the like, without `s3:`; None in ORCA's synthetic records."""
    region: str | None = None
    version_id: Label | None = None
    time: datetime | None = None
    """When it happened, by S3's clock."""


class S3Notification(WireModel):
    """The events of one message, in S3's order.

    None in the test that S3 sends to a new subscriber, and in a message that lists none.
    """

    records: tuple[S3Record, ...] = ()
    test: bool = False


def _region(value: object) -> str | None:
    """The region, where one is named: other makes of S3 write nothing, or words of their own."""
    return value if isinstance(value, str) and is_region(value) else None


def _moment(value: object) -> datetime | None:
    """A time as S3 writes it; nothing depends so much on it that another form would be a mistake."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None


_Region = Annotated[str | None, BeforeValidator(_region)]
_Moment = Annotated[datetime | None, BeforeValidator(_moment)]


class _Bucket(WireModel):
    name: Bucket


class _Object(WireModel):
    key: Name
    """As S3 encodes it, or raw: the event's source says which."""
    version_id: Label | None = None


class _Entity(WireModel):
    bucket: _Bucket
    thing: _Object = Field(alias="object")


class _Record(WireModel):
    event_source: Label | None = None
    event_name: Label | None = None
    aws_region: _Region = None
    event_time: _Moment = None
    s3: _Entity


class _Records(WireModel):
    records: tuple[_Record, ...] = Field(alias="Records", strict=False)


class _BridgedObject(WireModel):
    key: Key
    version_id: Label | None = Field(default=None, alias="version-id")


class _Detail(WireModel):
    bucket: _Bucket
    thing: _BridgedObject = Field(alias="object")


class _Bridged(WireModel):
    kind: Label = Field(alias="detail-type")
    region: _Region = None
    time: _Moment = None
    detail: _Detail


_BRIDGED_NAMES = {
    "Object Created": "ObjectCreated:",
    "Object Restore Initiated": "ObjectRestore:Post",
    "Object Restore Completed": "ObjectRestore:Completed",
    "Object Restore Expired": "ObjectRestore:Delete",
}


def is_notification(document: Mapping[str, Any]) -> bool:
    """Whether this JSON object is one that `decode_object` is meant for."""
    return (
        "Records" in document
        or document.get("Event") == "s3:TestEvent"
        or document.get("source") == "aws.s3"
        or _is_envelope(document)
    )


def decode_object(document: Mapping[str, Any]) -> S3Notification:
    """The events in this JSON object, out of whatever envelope they came in.

    Raises:
        MalformedError: this is no S3 notification.
    """
    for _ in range(_DEEPEST):
        if not _is_envelope(document):
            return _decode(document)
        inner = document.get("Message")
        if not isinstance(inner, str):
            raise MalformedError("not a valid SNS envelope: Message is not a string")
        try:
            document = json_object(inner)
        except MalformedError as error:
            raise MalformedError(f"not a valid SNS envelope: Message: {error}") from None
    raise MalformedError("not a valid SNS envelope: it holds nothing but envelopes")


def _is_envelope(document: Mapping[str, Any]) -> bool:
    return document.get("Type") == "Notification" and "TopicArn" in document


def _decode(document: Mapping[str, Any]) -> S3Notification:
    if document.get("Event") == "s3:TestEvent":
        return S3Notification(test=True)
    if document.get("source") == "aws.s3":
        return S3Notification(records=(_bridged(read(_Bridged, document, "EventBridge event")),))
    records = read(_Records, document, "S3 notification").records
    return S3Notification(records=tuple(_plain(index, record) for index, record in enumerate(records)))


def _plain(index: int, record: _Record) -> S3Record:
    return S3Record(
        bucket=record.s3.bucket.name,
        key=_key(index, record),
        name=record.event_name.removeprefix("s3:") if record.event_name else None,
        region=record.aws_region,
        version_id=record.s3.thing.version_id,
        time=record.event_time,
    )


def _key(index: int, record: _Record) -> str:
    # S3 encodes the keys that it sends; ORCA's own records, which name no source, carry them raw.
    raw = record.s3.thing.key
    try:
        key = raw if record.event_source is None else unquote_plus(raw, errors="strict")
        problem = key_problem(key)
    except UnicodeDecodeError:
        key, problem = "", "is not UTF-8 when decoded"
    if problem:
        raise MalformedError(f"not a valid S3 notification: Records[{index}].s3.object.key {problem}")
    return key


def _bridged(event: _Bridged) -> S3Record:
    # EventBridge delivers keys as they are (AWS: S3 event message structure).
    return S3Record(
        bucket=event.detail.bucket.name,
        key=event.detail.thing.key,
        name=_BRIDGED_NAMES.get(event.kind, event.kind),
        region=event.region,
        version_id=event.detail.thing.version_id,
        time=event.time,
    )
