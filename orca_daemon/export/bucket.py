"""The calls to S3 that an export makes; each reports success or failure for its place."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.errors import code_of
from orca_daemon.aws.s3_places import S3, at_place, reading, writing
from orca_daemon.engine import places
from orca_daemon.engine.errors import Refused
from orca_daemon.export import files
from orca_daemon.export.window import Last

PARQUET = "application/vnd.apache.parquet"
_CHECKSUMS = ("ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256")
_TAIL = 64 << 10
"""Bytes of a file's end that are read first; most footers fit."""
_MAGIC = b"PAR1"


class Bucket:
    """One bucket, through an aiobotocore client.

    Each call raises `NotYet` if S3 throttles, `DependencyDown` if it does not answer, `Refused` if it denies,
    and the client's own error otherwise.
    """

    def __init__(self, s3: Any, name: str) -> None:
        self._s3 = s3
        self.name = name

    async def last(self, table: str) -> Last | None:
        """The newest file of a table, by key, with the facts in its footer; None if the table has no file."""
        async for key in self._newest_first(files.prefix(table), 3):
            if end := files.time_of(key, table):
                return files.read(key, end, await self._metadata(key))
        return None

    async def put(self, key: str, body: bytes) -> None:
        """Write a small object."""
        await self._writing(self._s3.put_object(Bucket=self.name, Key=key, Body=body, ContentType=PARQUET))

    async def begin(self, key: str) -> str:
        """Create a multipart upload and return its id."""
        answer = await self._writing(
            self._s3.create_multipart_upload(Bucket=self.name, Key=key, ContentType=PARQUET)
        )
        return str(answer["UploadId"])

    async def part(self, key: str, upload: str, number: int, body: bytes) -> dict[str, Any]:
        """Upload one part, and return its entry for CompleteMultipartUpload."""
        answer = await self._writing(
            self._s3.upload_part(Bucket=self.name, Key=key, UploadId=upload, PartNumber=number, Body=body)
        )
        checksums = {name: value for name, value in answer.items() if name in _CHECKSUMS}
        return {"PartNumber": number, "ETag": answer["ETag"], **checksums}

    async def complete(self, key: str, upload: str, parts: list[dict[str, Any]]) -> None:
        """Complete a multipart upload."""
        await self._writing(
            self._s3.complete_multipart_upload(
                Bucket=self.name, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
            )
        )

    async def abort(self, key: str, upload: str) -> None:
        """Abort a multipart upload."""
        await self._writing(self._s3.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload))

    async def clear(self, table: str) -> int:
        """Abort the multipart uploads that earlier runs of a table left; return their number.

        The caller must hold the table's lock.  Without the permission to list uploads, they are left to the
        bucket's rule for incomplete uploads.
        """
        aborted = 0
        with suppress(Refused, *CALL_ERRORS):
            page = await self._s3.list_multipart_uploads(Bucket=self.name, Prefix=files.prefix(table))
            for entry in page.get("Uploads", ()):
                key, upload = entry.get("Key", ""), entry.get("UploadId", "")
                if upload and files.time_of(key, table):
                    await self.abort(key, upload)
                    aborted += 1
        return aborted

    async def _newest_first(self, prefix: str, levels: int) -> AsyncIterator[str]:
        """The keys of a tree of years, months and days, newest first, with few calls even for many files."""
        folders, listed = await self._list(prefix)
        if levels == 0:
            for key in sorted(listed, reverse=True):
                yield key
            return
        for folder in sorted(folders, reverse=True):
            if folder[len(prefix) : -1].isdigit():
                async for key in self._newest_first(folder, levels - 1):
                    yield key

    async def _list(self, prefix: str) -> tuple[list[str], list[str]]:
        folders: list[str] = []
        listed: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = await self._reading(
                self._s3.list_objects_v2(Bucket=self.name, Prefix=prefix, Delimiter="/", **token)
            )
            folders += [entry["Prefix"] for entry in page.get("CommonPrefixes", ())]
            listed += [entry["Key"] for entry in page.get("Contents", ())]
            if not page.get("IsTruncated"):
                return folders, listed
            token = {"ContinuationToken": page["NextContinuationToken"]}

    async def _metadata(self, key: str) -> dict[bytes, bytes] | None:
        """The key-value metadata of a Parquet file; None if it is not Parquet.  Reads only its end."""
        tail = await self._tail(key, _TAIL)
        needed = int.from_bytes(tail[-8:-4], "little") + 8
        if tail[-4:] != _MAGIC:
            return None
        if needed > len(tail):
            tail = await self._tail(key, needed)
        try:
            return pq.read_metadata(pa.BufferReader(tail[-needed:])).metadata  # type: ignore[no-any-return]
        except pa.ArrowException:
            return None

    async def _tail(self, key: str, size: int) -> bytes:
        try:
            return bytes(await self._reading(self._read(key, f"bytes=-{size}")))
        except CALL_ERRORS as error:
            if code_of(error) == "InvalidRange":  # the object is empty
                return b""
            raise

    async def _read(self, key: str, part: str) -> bytes:
        answer = await self._s3.get_object(Bucket=self.name, Key=key, Range=part)
        async with answer["Body"] as body:
            return bytes(await body.read())

    async def _reading(self, call: Awaitable[Any]) -> Any:
        return await _at(reading(self.name), call)

    async def _writing(self, call: Awaitable[Any]) -> Any:
        return await _at(writing(self.name), call)


async def _at(place: str, call: Awaitable[Any]) -> Any:
    """Await the call, and report its success or failure for the place."""
    try:
        answer = await call
    except CALL_ERRORS as error:
        verdict = at_place(error, place)
        if verdict is error:
            raise
        raise verdict from error
    places.succeeded(S3, place)
    return answer
