"""Reads an inventory's manifest out of S3."""

import hashlib
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orca_daemon.engine.errors import DependencyDown, Reject
from orca_daemon.reconcile.manifest import Manifest, ManifestError, parse
from orca_daemon.wire.inventory import InventoryPointer

_LARGEST = 64 << 20
_GONE = {"NoSuchKey", "NoSuchBucket", "404"}
_HIDDEN = {"AccessDenied", "403"}
"""What S3 answers for a missing key, too, to those who may not list the bucket."""


class Forbidden(Exception):  # noqa: N818  a state of the world
    """S3 does not let us read the manifest."""


async def read(s3: Any, pointer: InventoryPointer) -> Manifest:
    """The manifest that the pointer names, checked against `manifest.checksum` where that is there.

    Raises:
        Reject: there is no manifest, or it is damaged.
        Forbidden: we may not read it.
        DependencyDown: S3 cannot be reached.
    """
    bucket, key = pointer.report_bucket_name, pointer.manifest_key
    text = await _get(s3, bucket, key)
    if text is None:
        raise Reject(f"there is no manifest at s3://{bucket}/{key}")
    expected = await _checksum(s3, bucket, key)
    if expected and hashlib.md5(text, usedforsecurity=False).hexdigest() != expected:
        raise Reject("the manifest's MD5 is not the one in manifest.checksum")
    try:
        return parse(text)
    except ManifestError as error:
        raise Reject(str(error)) from None


async def _checksum(s3: Any, bucket: str, key: str) -> str:
    try:
        found = await _get(s3, bucket, key.removesuffix(".json") + ".checksum")
    except Forbidden:
        return ""
    return (found or b"").decode("ascii", "replace").strip().lower()


async def _get(s3: Any, bucket: str, key: str) -> bytes | None:
    try:
        answer = await s3.get_object(Bucket=bucket, Key=key)
        async with answer["Body"] as body:
            return bytes(await body.read(_LARGEST))
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _GONE:
            return None
        if code in _HIDDEN:
            raise Forbidden(f"S3 does not let us read s3://{bucket}/{key}") from None
        raise DependencyDown("s3", code) from None
    except (BotoCoreError, OSError, TimeoutError) as error:
        raise DependencyDown("s3", type(error).__name__) from None
