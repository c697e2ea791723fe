"""Checks that the buckets of the settings exist and that this role may use them."""

from collections.abc import Mapping
from typing import Any

from orca_daemon.app.checkup.findings import Finding, ok, remedy, wrong
from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.errors import reason_of
from orca_daemon.settings import Settings

KEY = ".orca-daemon-check"
"""Key of a multipart upload that is created and aborted at once: no object is ever stored under it."""


def written_buckets(settings: Settings) -> Mapping[str, str]:
    """Each bucket that the daemon writes to, and the setting that names it."""
    recovery = settings.recovery
    routed = {bucket: f"recovery.bucket_map.{kind}" for kind, bucket in recovery.bucket_map.items()}
    single = {
        settings.export.bucket: "export.bucket",
        recovery.protected_bucket: "recovery.protected_bucket",
        recovery.public_bucket: "recovery.public_bucket",
    }
    return routed | {bucket: setting for bucket, setting in single.items() if bucket}


async def findings(settings: Settings, s3: Any, extra: tuple[str, ...] = ()) -> list[Finding]:
    """Check that the buckets of the settings can be written, and that `extra` ones can be listed."""
    written = [
        await _check_written(s3, bucket, setting) for bucket, setting in written_buckets(settings).items()
    ]
    return written + [
        await _check_listed(s3, bucket) for bucket in extra if bucket not in written_buckets(settings)
    ]


async def _check_listed(s3: Any, bucket: str) -> Finding:
    try:
        await s3.list_objects_v2(Bucket=bucket, MaxKeys=1)
    except CALL_ERRORS as error:
        return wrong(f"bucket {bucket}", f"cannot be listed: {reason_of(error)}", remedy(error))
    return ok(f"bucket {bucket}", "can be listed")


async def _check_written(s3: Any, bucket: str, setting: str) -> Finding:
    subject = f"bucket {bucket}"
    try:
        await s3.head_bucket(Bucket=bucket)
        upload = await s3.create_multipart_upload(Bucket=bucket, Key=KEY)
        await s3.abort_multipart_upload(Bucket=bucket, Key=KEY, UploadId=upload["UploadId"])
    except CALL_ERRORS as error:
        return wrong(subject, f"{setting}: cannot be written: {reason_of(error)}", remedy(error))
    return ok(subject, f"{setting}: can be written")
