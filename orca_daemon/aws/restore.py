"""Asks S3 to restore one archived object, and says what its answer means (AWS: RestoreObject)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from orca_daemon.aws.errors import Meaning, message_of
from orca_daemon.aws.s3copy import S3Object
from orca_daemon.aws.s3copy.objects import ObjectHead
from orca_daemon.aws.s3copy.requests import Requests, S3RequestError, failed_at_place
from orca_daemon.engine.errors import NotYet
from orca_daemon.wire.restore import Tier

_EXPIRY = re.compile(r'expiry-date="([^"]+)"')
_UNDER_WAY = "RestoreAlreadyInProgress"
_NO_CAPACITY = "GlacierExpeditedRetrievalNotAvailable"
_READABLE = frozenset({"InvalidObjectState", "ObjectAlreadyInActiveTierError"})


class RestoreAnswer(Enum):
    """What S3 answered."""

    BEGUN = auto()
    """202: it will send an event when the object can be read."""
    RESTORED = auto()
    """200: it was restored before, and its copy is kept for the new number of days from now."""
    UNDER_WAY = auto()
    """409: somebody asked before; it will send an event."""
    NOT_ARCHIVED = auto()
    """403: the object is not in an archive class any more, so it can be read."""
    MISSING = auto()
    """404: the object does not exist any more."""


class NoCapacityError(NotYet):
    """S3 has no capacity for Expedited restores now."""


class RestoreError(Exception):
    """S3 refuses the request; another attempt may succeed."""


def expiry(head: ObjectHead) -> datetime | None:
    """When S3 deletes the restored copy, from the `x-amz-restore` header; None if it does not say.

    `ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"` (AWS: HeadObject).
    """
    match = _EXPIRY.search(head.restore)
    try:
        time = parsedate_to_datetime(match[1]) if match else None
    except ValueError:
        return None
    return None if time is None else time.replace(tzinfo=UTC) if time.tzinfo is None else time


def expected_expiry(asked: datetime, days: int) -> datetime:
    """When a copy expires that is asked for now, at the earliest.

    S3 adds the days to the current time, and rounds up to the next midnight of UTC (AWS: restoring an
    object).
    """
    midnight = asked.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=days + 1)


def has_no_days(head: ObjectHead) -> bool:
    """Whether it is in a tier of Intelligent-Tiering, whose restores have no end and take no `Days`."""
    return bool(head.archive_status)


async def restore_object(requests: Requests, source: S3Object, tier: Tier, days: int | None) -> RestoreAnswer:
    """Ask for one object.

    Args:
        requests: of a client of S3.
        source: the object; its newest version is restored.
        tier: how fast.
        days: for how long the copy is kept; None in Intelligent-Tiering.

    Raises:
        NoCapacityError: there is none for Expedited now.
        NotYet: S3 asks to slow down.
        DependencyDown: the place does not answer, or refuses the credentials.
        Refused: the place denies it.
        RestoreError: anything else.
    """
    body: dict[str, Any] = {"GlacierJobParameters": {"Tier": tier.value}}
    if days is not None:
        body["Days"] = days
    try:
        response = await requests.call("restore_object", **source.parameters, RestoreRequest=body)
    except S3RequestError as failure:
        return _answer(failure, source)
    return _status(response)


def _status(response: Mapping[str, Any]) -> RestoreAnswer:
    restored = response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.OK
    return RestoreAnswer.RESTORED if restored else RestoreAnswer.BEGUN


def _answer(failure: S3RequestError, source: S3Object) -> RestoreAnswer:
    """The answer that an error is; raises what it means if it is none."""
    if failure.code == _UNDER_WAY:
        return RestoreAnswer.UNDER_WAY
    if failure.code in _READABLE:
        return RestoreAnswer.NOT_ARCHIVED
    if failure.code == _NO_CAPACITY:
        raise NoCapacityError(f"S3 has no capacity for Expedited restores now ({failure.code})") from failure
    if failure.meaning is Meaning.MISSING and failure.code != "NoSuchBucket":
        return RestoreAnswer.MISSING
    error = failed_at_place(failure)
    if error is failure:
        text = ": ".join(part for part in (failure.code, message_of(failure.error)) if part)
        raise RestoreError(f"S3 did not restore {source}: {text}") from failure
    raise error from failure
