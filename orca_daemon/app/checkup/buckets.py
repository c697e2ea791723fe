"""Buckets that settings name: there, and open to this role as far as the work needs."""

from collections.abc import Mapping
from typing import Any

from orca_daemon.app.checkup.findings import Finding, ok, remedy, wrong
from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.errors import reason_of
from orca_daemon.settings import Settings

KEY = ".orca-daemon-check"
"""Of an upload that is begun and given up at once: nothing is ever stored under it."""


def named(settings: Settings) -> Mapping[str, str]:
    """The buckets that are written to, and what for."""
    recovery = settings.recovery
    routed = {bucket: f"recovery.bucket_map.{kind}" for kind, bucket in recovery.bucket_map.items()}
    single = {
        settings.export.bucket: "export.bucket",
        recovery.protected_bucket: "recovery.protected_bucket",
        recovery.public_bucket: "recovery.public_bucket",
    }
    return routed | {bucket: setting for bucket, setting in single.items() if bucket}


async def findings(settings: Settings, s3: Any, extra: tuple[str, ...] = ()) -> list[Finding]:
    """Look at each bucket of the settings, and read-only at `extra` ones."""
    written = [await _written(s3, bucket, setting) for bucket, setting in named(settings).items()]
    return written + [await _read(s3, bucket) for bucket in extra if bucket not in named(settings)]


async def _read(s3: Any, bucket: str) -> Finding:
    try:
        await s3.list_objects_v2(Bucket=bucket, MaxKeys=1)
    except CALL_ERRORS as error:
        return wrong(f"bucket {bucket}", f"cannot be listed: {reason_of(error)}", remedy(error))
    return ok(f"bucket {bucket}", "can be listed")


async def _written(s3: Any, bucket: str, setting: str) -> Finding:
    subject = f"bucket {bucket}"
    try:
        await s3.head_bucket(Bucket=bucket)
        upload = await s3.create_multipart_upload(Bucket=bucket, Key=KEY)
        await s3.abort_multipart_upload(Bucket=bucket, Key=KEY, UploadId=upload["UploadId"])
    except CALL_ERRORS as error:
        return wrong(subject, f"{setting}: cannot be written: {reason_of(error)}", remedy(error))
    return ok(subject, f"{setting}: can be written")
