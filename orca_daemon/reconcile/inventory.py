"""Reads an inventory's manifest from S3, and presigns URLs of its data files."""

import asyncio
import hashlib
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError
from botocore.httpsession import get_cert_path

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.clients import SIGNED_URLS
from orca_daemon.aws.errors import Meaning, code_of, meaning_of
from orca_daemon.aws.s3_places import S3, at_place, reading
from orca_daemon.engine import places
from orca_daemon.engine.errors import DependencyDown, Refused, Reject
from orca_daemon.reconcile.manifest import MOST_BYTES, DataFile, Manifest, ManifestError, parse
from orca_daemon.reconcile.protocol import Remote
from orca_daemon.wire.inventory import InventoryPointer

_HOURS = 12
"""Lifetime of a presigned URL; temporary credentials may end it earlier."""
_CHUNK = 1 << 20


async def read(s3: Any, pointer: InventoryPointer) -> Manifest:
    """The manifest that the pointer names, checked against `manifest.checksum` if that exists.

    Raises:
        Reject: there is no manifest, or it is damaged.
        Refused: S3 denies to read it.
        NotYet: S3 throttles.
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
    """The data files with presigned URLs, which need no credentials.

    Raises:
        DependencyDown: the daemon has no credentials to sign with.
    """
    bucket, region = pointer.report_bucket_name, pointer.report_bucket_region
    async with AsyncExitStack() as stack:
        if region and region != s3.meta.region_name and not _has_own_endpoint(s3):
            s3 = await stack.enter_async_context(_client_of(region))
        try:
            return [await _signed(s3, bucket, file) for file in files]
        except BotoCoreError as error:
            raise DependencyDown(S3, type(error).__name__, place=reading(bucket)) from None


async def _signed(s3: Any, bucket: str, file: DataFile) -> Remote:
    await asyncio.sleep(0)  # signing does not yield to the event loop, and there may be thousands of files
    url = await s3.generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": file.key}, ExpiresIn=_HOURS * 3600
    )
    return Remote(key=file.key, size=file.size, md5=file.md5, url=url)


def ca_bundle() -> str | None:
    """Path of the certificate authorities that botocore trusts."""
    return os.environ.get("AWS_CA_BUNDLE") or str(get_cert_path(True))


def _has_own_endpoint(s3: Any) -> bool:
    """Whether the client uses an endpoint that is not AWS's; such an endpoint serves all regions."""
    return not str(s3.meta.endpoint_url).endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _client_of(region: str) -> Any:
    # A client of the bucket's own region: S3 redirects calls from another region, but refuses presigned URLs.
    return AioSession().create_client("s3", region_name=region, config=SIGNED_URLS)


async def _checksum(s3: Any, bucket: str, key: str) -> str:
    try:
        checksum = await _get(s3, bucket, key.removesuffix(".json") + ".checksum")
    except Refused:
        # Without permission to list the bucket, S3 also answers AccessDenied for an object that does not
        # exist.
        return ""
    return (checksum or b"").decode("ascii", "replace").strip().lower()


async def _read_all(body: Any) -> bytes:
    """The body, or its beginning if it is longer than a manifest may be.

    Reads in a loop, because one read returns only the bytes that have arrived.
    """
    content = b""
    while len(content) <= MOST_BYTES and (chunk := await body.read(_CHUNK)):
        content += chunk
    return content


async def _get(s3: Any, bucket: str, key: str) -> bytes | None:
    """The object, or its beginning if it is longer than a manifest may be; None if it does not exist."""
    try:
        answer = await s3.get_object(Bucket=bucket, Key=key)
        async with answer["Body"] as body:
            content = await _read_all(body)
    except CALL_ERRORS as error:
        if meaning_of(error) is Meaning.MISSING:
            return None
        verdict = at_place(error, reading(bucket))
        if verdict is error:
            raise Reject(f"S3 answers {code_of(error)} for s3://{bucket}/{key}") from None
        raise verdict from error
    places.succeeded(S3, reading(bucket))
    return content
