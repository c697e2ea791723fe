"""Multipart uploads that a killed process left unfinished at a target."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from orca_daemon.aws.s3copy.multipart import abort
from orca_daemon.aws.s3copy.objects import S3Object
from orca_daemon.aws.s3copy.requests import Requests, S3RequestError


async def abort_abandoned(requests: Requests, target: S3Object, *, idle: float) -> None:
    """Abort the uploads to exactly this key into which nothing was stored for `idle` seconds.

    A live upload stores a part every few seconds.  If a slow one is aborted by mistake, its process copies
    again; only time is lost.  Failures here are ignored: this clean-up is best effort.
    """
    with suppress(S3RequestError):
        listing = await requests.call("list_multipart_uploads", Bucket=target.bucket, Prefix=target.key)
        for upload in listing.get("Uploads", []):
            if upload["Key"] == target.key:
                await _abort_if_idle(requests, target, upload, now=_date(listing), idle=idle)


async def _abort_if_idle(
    requests: Requests, target: S3Object, upload: Mapping[str, Any], *, now: datetime, idle: float
) -> None:
    with suppress(S3RequestError):  # the upload has ended, or we lack the permission to abort it
        if await _idle_seconds(requests, target, upload, now) >= idle:
            await abort(requests, target, upload["UploadId"])


async def _idle_seconds(
    requests: Requests, target: S3Object, upload: Mapping[str, Any], now: datetime
) -> float:
    parts = await _parts(requests, target, upload["UploadId"])
    stored = [part["LastModified"] for part in parts if part.get("LastModified")]
    latest: datetime = max([upload["Initiated"], *stored])
    return (now - latest).total_seconds()


async def _parts(requests: Requests, target: S3Object, upload: str) -> list[Mapping[str, Any]]:
    marker, parts = 0, []
    while True:
        page = await requests.call(
            "list_parts", **target.parameters, UploadId=upload, PartNumberMarker=marker
        )
        parts += page.get("Parts", [])
        if not page.get("IsTruncated"):
            return parts
        marker = page["NextPartNumberMarker"]


def _date(response: Mapping[str, Any]) -> datetime:
    """The time by S3's clock, because the times of uploads and parts are S3's, too."""
    text = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(text).replace(tzinfo=UTC)  # dates in HTTP are always GMT
    except ValueError:
        return datetime.now(UTC)
