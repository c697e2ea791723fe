"""One multipart copy: create the upload, copy its parts in parallel, complete it, or abort it in any case."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import structlog

from orca_daemon.aws.s3copy.metadata import raw_headers
from orca_daemon.aws.s3copy.objects import ObjectHead, S3Object
from orca_daemon.aws.s3copy.plan import Plan
from orca_daemon.aws.s3copy.requests import Requests, S3RequestError

WHOLE_OBJECT = ("CRC64NVME", "CRC32C", "CRC32")
"""Algorithms that S3 can compute over a whole multipart object (AWS: checking object integrity)."""
ABORTS = 5
"""A part that was in flight may be stored after the abort, which then has to be repeated (AWS)."""
CANCELLATION_GRACE = 4.0
"""Seconds that a shielded step may still take once it is cancelled; a drain waits for seven in all."""
_log: Any = structlog.get_logger()


class MultipartCopy:
    """A multipart copy from a pinned source; used once."""

    def __init__(
        self, requests: Requests, source: S3Object, head: ObjectHead, target: S3Object, plan: Plan
    ) -> None:
        self._requests = requests
        self._source, self._head, self._target, self._plan = source, head, target, plan
        self._parts: dict[int, dict[str, Any]] = {}
        self._etag = ""
        self.id: str | None = None
        """Id of the upload while there is one."""
        self.algorithm = next((name for name in WHOLE_OBJECT if name in head.checksums), WHOLE_OBJECT[0])

    async def run(self, options: Mapping[str, Any], copied: Callable[[int], None]) -> str:
        """Copy, and return the ETag of the new object.

        If it is cancelled or fails, it leaves no upload behind, unless S3 refuses even the abort.

        Args:
            options: further parameters of CreateMultipartUpload.
            copied: called with the number of bytes of each part that was copied.
        """
        try:
            await shielded(self._create(options))
            await self._copy_parts(copied)
            await shielded(self._complete())
        except BaseException:
            if self.id:
                await self._abort(self.id)
            raise
        return self._etag or composed([self._parts[number]["ETag"] for number in sorted(self._parts)])

    async def _create(self, options: Mapping[str, Any]) -> None:
        with raw_headers(self._head.raw_headers):
            response = await self._requests.call(
                "create_multipart_upload",
                **self._target.parameters,
                **self._head.headers,
                ChecksumAlgorithm=self.algorithm,
                ChecksumType="FULL_OBJECT",
                **options,
            )
        self.id = response["UploadId"]

    async def _copy_parts(self, copied: Callable[[int], None]) -> None:
        # The workers share one iterator, so that ten thousand parts do not need ten thousand tasks.
        ranges = self._plan.ranges()

        async def worker() -> None:
            for number, first, last in ranges:
                await self._copy_part(number, first, last)
                copied(last - first + 1)

        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(self._requests.window.most, self._plan.parts)):
                    workers.create_task(worker())
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group

    async def _copy_part(self, number: int, first: int, last: int) -> None:
        response = await self._requests.call(
            "upload_part_copy",
            last - first + 1,
            **self._target.parameters,
            UploadId=self.id,
            PartNumber=number,
            # S3 refuses any range of an object of 5 MiB or less, even the range of the whole object.
            **({"CopySourceRange": f"bytes={first}-{last}"} if self._plan.parts > 1 else {}),
            **pinned(self._source, self._head),
        )
        result = response["CopyPartResult"]
        checksum = f"Checksum{self.algorithm}"
        self._parts[number] = {
            "PartNumber": number,
            "ETag": result["ETag"],
            **({checksum: result[checksum]} if result.get(checksum) else {}),
        }

    async def _complete(self) -> None:
        # S3 does not complete an upload with another size or checksum, so an incomplete object never appears.
        expected: dict[str, Any] = {"MpuObjectSize": self._plan.size}
        if known := self._head.checksums.get(self.algorithm):
            expected |= {f"Checksum{self.algorithm}": known, "ChecksumType": "FULL_OBJECT"}
        try:
            response = await self._requests.call(
                "complete_multipart_upload",
                **self._target.parameters,
                UploadId=self.id,
                MultipartUpload={"Parts": [self._parts[number] for number in sorted(self._parts)]},
                **expected,
            )
            self._etag = response["ETag"]
        except S3RequestError as failure:
            # If the first request succeeded and its response was lost, its repetition finds no upload.  The
            # copy is verified afterwards, which shows whether the object exists.
            if failure.code != "NoSuchUpload":
                raise
        self.id = None

    async def _abort(self, upload: str) -> None:
        try:
            await shielded(abort(self._requests, self._target, upload))
        except Exception as refusal:  # noqa: BLE001  the caller needs the first error, not this one
            # The parts cost money until the next copy to this key, or a lifecycle rule, aborts the upload.
            reason = refusal.code if isinstance(refusal, S3RequestError) else type(refusal).__name__
            _log.warning("copy.upload_left", target=str(self._target), upload=upload, reason=reason)


async def abort(requests: Requests, target: S3Object, upload: str) -> None:
    """Abort an upload, and repeat that until S3 lists no part of it."""
    for _ in range(ABORTS):
        try:
            await requests.call("abort_multipart_upload", **target.parameters, UploadId=upload)
            await requests.call("list_parts", **target.parameters, UploadId=upload, MaxParts=1)
        except S3RequestError as failure:
            if failure.code == "NoSuchUpload":
                return
            raise


def composed(etags: list[str]) -> str:
    """The ETag that S3 gives to a multipart object with parts of these ETags."""
    digests = b"".join(bytes.fromhex(etag.strip('"')) for etag in etags)
    return f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(etags)}"'


def pinned(source: S3Object, head: ObjectHead) -> dict[str, Any]:
    """Parameters that make a copy fail if the source is not the version that HeadObject described."""
    version = {"VersionId": head.version} if head.version else {}
    return {"CopySource": {**source.parameters, **version}, "CopySourceIfMatch": head.etag}


async def shielded(step: Coroutine[Any, Any, None]) -> None:
    """Await `step`, which a cancellation may delay but not cut short.

    If this call is cancelled, CancelledError is raised when `step` has ended, or after `CANCELLATION_GRACE`.
    """
    task = asyncio.ensure_future(step)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await _join(task)
        raise


async def _join(task: asyncio.Future[None]) -> None:
    deadline = asyncio.get_running_loop().time() + CANCELLATION_GRACE
    while not task.done():
        left = deadline - asyncio.get_running_loop().time()
        try:
            await asyncio.wait({task}, timeout=max(left, 0))
        except asyncio.CancelledError:
            continue  # a second cancellation changes nothing: the deadline stays
        if left <= 0:
            task.cancel()
            await asyncio.wait({task}, timeout=1)
            return
    if not task.cancelled():
        task.exception()  # mark it as retrieved, so that asyncio does not log it
