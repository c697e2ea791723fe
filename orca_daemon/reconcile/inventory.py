"""Reads an inventory's manifest out of S3, and signs URLs of its data files."""

import asyncio
import hashlib
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError
from botocore.httpsession import get_cert_path

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.errors import Meaning, code_of, meaning_of
from orca_daemon.aws.s3_places import S3, at_place, reading
from orca_daemon.engine import places
from orca_daemon.engine.errors import DependencyDown, Refused, Reject
from orca_daemon.reconcile.manifest import MOST_BYTES, DataFile, Manifest, ManifestError, parse
from orca_daemon.reconcile.protocol import Remote
from orca_daemon.wire.inventory import InventoryPointer

_HOURS = 12
_CHUNK = 1 << 20


async def read(s3: Any, pointer: InventoryPointer) -> Manifest:
    """The manifest that the pointer names, checked against `manifest.checksum` where that is there.

    Raises:
        Reject: there is no manifest, or it is damaged.
        Refused: S3 does not let us read it.
        NotYet: S3 asks to slow down.
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


async def signed(s3: Any, pointer: InventoryPointer, files: Sequence[DataFile]) -> list[Remote]:
    """The data files with URLs that open them for some hours, without credentials.

    Raises:
        DependencyDown: there are no credentials to sign with.
    """
    bucket, region = pointer.report_bucket_name, pointer.report_bucket_region
    async with AsyncExitStack() as stack:
        if region and region != s3.meta.region_name and not _elsewhere(s3):
            s3 = await stack.enter_async_context(_client_of(region))
        try:
            return [await _signed(s3, bucket, file) for file in files]
        except BotoCoreError as error:
            raise DependencyDown(S3, type(error).__name__, place=reading(bucket)) from None


async def _signed(s3: Any, bucket: str, file: DataFile) -> Remote:
    await asyncio.sleep(0)  # signing thousands of them awaits nothing by itself
    url = await s3.generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": file.key}, ExpiresIn=_HOURS * 3600
    )
    return Remote(key=file.key, size=file.size, md5=file.md5, url=url)


def ca_bundle() -> str | None:
    """The authorities that botocore trusts."""
    return os.environ.get("AWS_CA_BUNDLE") or str(get_cert_path(True))


def _elsewhere(s3: Any) -> bool:
    """Whether the client speaks to a stand-in of AWS, which has one endpoint for all regions."""
    return not str(s3.meta.endpoint_url).endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _client_of(region: str) -> Any:
    # A URL that another region's key signs is refused; a plain call would be redirected.
    return AioSession().create_client("s3", region_name=region, config=AioConfig(signature_version="s3v4"))


async def _checksum(s3: Any, bucket: str, key: str) -> str:
    try:
        found = await _get(s3, bucket, key.removesuffix(".json") + ".checksum")
    except Refused:
        # Also the answer for what is not there, to those who may not list the bucket.
        return ""
    return (found or b"").decode("ascii", "replace").strip().lower()


async def _whole(body: Any) -> bytes:
    """All of it, up to a byte more than a manifest may have: one read gives what has arrived, and no more."""
    found = b""
    while len(found) <= MOST_BYTES and (chunk := await body.read(_CHUNK)):
        found += chunk
    return found


async def _get(s3: Any, bucket: str, key: str) -> bytes | None:
    """The object, as far as a manifest can be long, and one byte more; None where there is none."""
    try:
        answer = await s3.get_object(Bucket=bucket, Key=key)
        async with answer["Body"] as body:
            found = await _whole(body)
    except CALL_ERRORS as error:
        if meaning_of(error) is Meaning.MISSING:
            return None
        verdict = at_place(error, reading(bucket))
        if verdict is error:
            raise Reject(f"S3 answers {code_of(error)} for s3://{bucket}/{key}") from None
        raise verdict from error
    places.succeeded(S3, reading(bucket))
    return found
