"""Reads an inventory's manifest out of S3, and signs URLs of its data files."""

import asyncio
import hashlib
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import get_cert_path

from orca_daemon.aws.errors import Meaning, code_of, meaning_of
from orca_daemon.engine.errors import DependencyDown, Reject
from orca_daemon.reconcile.manifest import DataFile, Manifest, ManifestError, parse
from orca_daemon.reconcile.protocol import Remote
from orca_daemon.wire.inventory import InventoryPointer

_LARGEST = 64 << 20
_HOURS = 12


class Refused(Exception):  # noqa: N818  a state of the world
    """S3 does not give us the manifest: no permission, wrong region, archived."""


async def read(s3: Any, pointer: InventoryPointer) -> Manifest:
    """The manifest that the pointer names, checked against `manifest.checksum` where that is there.

    Raises:
        Reject: there is no manifest, or it is damaged.
        Refused: S3 does not give it to us.
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
            raise DependencyDown("s3", type(error).__name__) from None


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


async def _get(s3: Any, bucket: str, key: str) -> bytes | None:
    try:
        answer = await s3.get_object(Bucket=bucket, Key=key)
        async with answer["Body"] as body:
            return bytes(await body.read(_LARGEST))
    except ClientError as error:
        found, code = meaning_of(error), code_of(error)
        if found is Meaning.MISSING:
            return None
        if found.passes:
            raise DependencyDown("s3", code) from None
        raise Refused(f"S3 answers {code} for s3://{bucket}/{key}") from None
    except (BotoCoreError, OSError, TimeoutError) as error:
        raise DependencyDown("s3", type(error).__name__) from None
