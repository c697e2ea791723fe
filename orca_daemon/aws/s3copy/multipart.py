"""One multipart copy: begun, its parts copied side by side, completed, or aborted whatever happens."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from orca_daemon.aws.s3copy.finish import finish
from orca_daemon.aws.s3copy.objects import ObjectHead, S3Object
from orca_daemon.aws.s3copy.plan import Plan
from orca_daemon.aws.s3copy.requests import Requests, S3RequestError
from orca_daemon.aws.s3copy.verbatim import sent_with

WHOLE = ("CRC64NVME", "CRC32C", "CRC32")
"""Algorithms that S3 can compute over a whole multipart object (AWS: checking object integrity)."""
ABORTS = 5
"""A part that was in flight may be stored after the abort, which then has to be repeated (AWS)."""
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
        """Of the upload while there is one."""
        self.algorithm = next((name for name in WHOLE if name in head.checksums), WHOLE[0])

    async def run(self, options: Mapping[str, Any], moved: Callable[[int], None]) -> str:
        """Copy, and return the ETag of the new object.

        Cancelled or failing, it leaves no upload behind, unless S3 refuses even the abort.
        """
        try:
            await finish(self._begin(options))
            await self._copy_parts(moved)
            await finish(self._complete())
        except BaseException:
            if self.id:
                await self._abandon(self.id)
            raise
        return self._etag or composed([self._parts[number]["ETag"] for number in sorted(self._parts)])

    async def _begin(self, options: Mapping[str, Any]) -> None:
        with sent_with(self._head.verbatim):
            answer = await self._requests.call(
                "create_multipart_upload",
                **self._target.parameters,
                **self._head.headers,
                ChecksumAlgorithm=self.algorithm,
                ChecksumType="FULL_OBJECT",
                **options,
            )
        self.id = answer["UploadId"]

    async def _copy_parts(self, moved: Callable[[int], None]) -> None:
        # The workers share one iterator: ten thousand parts need no ten thousand tasks.
        todo = self._plan.ranges()

        async def worker() -> None:
            for number, first, last in todo:
                await self._copy_part(number, first, last)
                moved(last - first + 1)

        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(self._requests.limit, self._plan.parts)):
                    workers.create_task(worker())
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from several

    async def _copy_part(self, number: int, first: int, last: int) -> None:
        answer = await self._requests.call(
            "upload_part_copy",
            last - first + 1,
            **self._target.parameters,
            UploadId=self.id,
            PartNumber=number,
            # Of an object of 5 MiB or less S3 copies no range, not even one that is the whole.
            **({"CopySourceRange": f"bytes={first}-{last}"} if self._plan.parts > 1 else {}),
            **pinned(self._source, self._head),
        )
        result = answer["CopyPartResult"]
        checksum = f"Checksum{self.algorithm}"
        self._parts[number] = {
            "PartNumber": number,
            "ETag": result["ETag"],
            **({checksum: result[checksum]} if result.get(checksum) else {}),
        }

    async def _complete(self) -> None:
        # S3 refuses to complete what does not have this size and checksum, so a torn object never appears.
        promise: dict[str, Any] = {"MpuObjectSize": self._plan.size}
        if known := self._head.checksums.get(self.algorithm):
            promise |= {f"Checksum{self.algorithm}": known, "ChecksumType": "FULL_OBJECT"}
        try:
            answer = await self._requests.call(
                "complete_multipart_upload",
                **self._target.parameters,
                UploadId=self.id,
                MultipartUpload={"Parts": [self._parts[number] for number in sorted(self._parts)]},
                **promise,
            )
            self._etag = answer["ETag"]
        except S3RequestError as failure:
            # A repeated request finds nothing when the first one succeeded and its answer was lost; the
            # verification that follows tells.
            if failure.code != "NoSuchUpload":
                raise
        self.id = None

    async def _abandon(self, upload: str) -> None:
        try:
            await finish(abort(self._requests, self._target, upload))
        except Exception as refusal:  # noqa: BLE001  what went wrong first is what the caller has to know
            # Parts cost money until somebody aborts them: the next copy to this key, or a lifecycle rule.
            reason = refusal.code if isinstance(refusal, S3RequestError) else type(refusal).__name__
            _log.warning("copy.upload_left", target=str(self._target), upload=upload, reason=reason)


async def abort(requests: Requests, target: S3Object, upload: str) -> None:
    """Abort an upload until nothing of it is left."""
    for _ in range(ABORTS):
        try:
            await requests.call("abort_multipart_upload", **target.parameters, UploadId=upload)
            await requests.call("list_parts", **target.parameters, UploadId=upload, MaxParts=1)
        except S3RequestError as failure:
            if failure.code == "NoSuchUpload":
                return
            raise


def composed(etags: list[str]) -> str:
    """The ETag that S3 gives to an object of these parts."""
    digests = b"".join(bytes.fromhex(etag.strip('"')) for etag in etags)
    return f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(etags)}"'


def pinned(source: S3Object, head: ObjectHead) -> dict[str, Any]:
    """The parameters that tie a copy to the very source that was looked at."""
    version = {"VersionId": head.version} if head.version else {}
    return {"CopySource": {**source.parameters, **version}, "CopySourceIfMatch": head.etag}
