"""Objects in S3 that dead letters are exported to: each is read back before a dead letter is deleted."""

from collections.abc import Sequence
from typing import Any

from orca_daemon.aws.dead_letter import DeadLetter
from orca_daemon.aws.s3copy import S3Object
from orca_daemon.operations.dead_letter_line import ids_in, line_of
from orca_daemon.operations.recorded import Request

JSON_LINES = "application/jsonl"
_LARGEST = 64 << 20
"""Bytes of one object, approximately."""


class NotVerifiedError(Exception):
    """S3 does not return what was written."""


class ExportObjects:
    """The objects of one export: PREFIX/QUEUE-ACTION-000001.jsonl, and so on.

    An export that was cut short has objects already: what they hold is not written again.
    """

    batch = 500
    """Dead letters of one object, if SQS shows so many at a time."""

    def __init__(self, s3: Any, target: S3Object, queue: str, request: Request) -> None:
        """`target` has the bucket and the prefix; `s3` is an aiobotocore client."""
        self._s3 = s3
        self._bucket = target.bucket
        self._queue = queue
        self._stem = f"{target.key.rstrip('/')}/{queue}-{request.id}-".removeprefix("/")
        self.known: set[str] = set()
        self.names: list[str] = []
        """The objects of this export."""

    async def open(self) -> None:
        """Read what an export of the same id wrote before it was cut short.

        Raises:
            NotDeadLettersError: an object of this name holds something else.
            botocore.exceptions.ClientError: S3 refuses.
        """
        for key in await self._keys():
            name = f"s3://{self._bucket}/{key}"
            lines = (await self._get(key)).split(b"\n")
            self.known |= ids_in(lines[:-1], self._queue, name)
            self.names.append(name)

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Write objects with those that S3 does not have; S3 has them when this returns."""
        fresh = [letter for letter in letters if letter.id not in self.known]
        lines: list[bytes] = []
        for letter in fresh:
            lines.append(line_of(letter, self._queue))
            if sum(map(len, lines)) >= _LARGEST:
                await self._write(b"".join(lines))
                lines = []
        if lines:
            await self._write(b"".join(lines))
        self.known |= {letter.id for letter in fresh}

    def close(self) -> None:
        """Nothing is open."""

    async def _write(self, body: bytes) -> None:
        key = f"{self._stem}{len(self.names) + 1:06}.jsonl"
        await self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=JSON_LINES)
        if await self._get(key) != body:
            raise NotVerifiedError(
                f"s3://{self._bucket}/{key} is not what was written; nothing of it was deleted"
            )
        self.names.append(f"s3://{self._bucket}/{key}")

    async def _get(self, key: str) -> bytes:
        answer = await self._s3.get_object(Bucket=self._bucket, Key=key)
        async with answer["Body"] as body:
            return bytes(await body.read())

    async def _keys(self) -> list[str]:
        keys: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = await self._s3.list_objects_v2(Bucket=self._bucket, Prefix=self._stem, **token)
            keys += [entry["Key"] for entry in page.get("Contents", ())]
            if not page.get("IsTruncated"):
                return sorted(keys)
            token = {"ContinuationToken": page["NextContinuationToken"]}
