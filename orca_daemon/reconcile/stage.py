"""The stage of a comparison in Spark, in S3 or in a directory: what the daemon does there for its child."""

import asyncio
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.s3_places import at_place, reading, writing

T = TypeVar("T")

SUFFIX = ".parquet"


@dataclass(frozen=True, slots=True)
class Stage:
    """One comparison's folder in the stage.

    Args:
        s3: the client of S3.
        url: `s3://bucket/prefix`, `s3a://bucket/prefix` or `file:///directory`, without a slash at the end.
    """

    s3: Any
    url: str

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory, which daemon and cluster share."""
        return urlsplit(self.url).scheme == "file"

    async def put(self, path: Path, name: str) -> None:
        """Move this file to the stage.

        Raises:
            DependencyDown, NotYet, Refused: as S3 answers.
            OSError: the directory cannot be written to.
        """
        if self.is_directory:
            await _in_thread(_move, path, self._directory / name)
            return
        body = await _in_thread(path.read_bytes)
        bucket, key = self._place(name)
        await self._call(self.s3.put_object(Bucket=bucket, Key=key, Body=body), writing(bucket))
        await _in_thread(path.unlink)

    async def differences(self, folder: Path) -> list[Path]:
        """Copy Spark's files of differences to this folder.  Raises the errors of `put`."""
        if self.is_directory:
            return await _in_thread(lambda: sorted((self._directory / "differences").glob(f"*{SUFFIX}")))
        bucket, prefix = self._place("differences/")
        paths: list[Path] = []
        for key in await self._keys(bucket, prefix):
            if key.endswith(SUFFIX):
                answer = await self._call(self.s3.get_object(Bucket=bucket, Key=key), reading(bucket))
                path = folder / f"differences-{len(paths):06}{SUFFIX}"
                async with answer["Body"] as body:
                    with path.open("wb") as target:
                        async for chunk in body.iter_chunks(1 << 20):
                            await _in_thread(target.write, chunk)
                paths.append(path)
        return paths

    async def clear(self) -> None:
        """Remove everything of this comparison, also what a killed daemon has left.  Raises as `put`."""
        if self.is_directory:
            await _in_thread(lambda: shutil.rmtree(self._directory, ignore_errors=True))
            return
        bucket, prefix = self._place("")
        for key in await self._keys(bucket, prefix):
            await self._call(self.s3.delete_object(Bucket=bucket, Key=key), writing(bucket))

    async def _keys(self, bucket: str, prefix: str) -> list[str]:
        keys: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = await self._call(
                self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix, **token), reading(bucket)
            )
            keys += [entry["Key"] for entry in page.get("Contents", ())]
            if not page.get("IsTruncated"):
                return keys
            token = {"ContinuationToken": page["NextContinuationToken"]}

    async def _call(self, call: Any, place: str) -> Any:
        try:
            return await call
        except CALL_ERRORS as error:
            raise at_place(error, place) from None

    @property
    def _directory(self) -> Path:
        return Path(unquote(urlsplit(self.url).path))

    def _place(self, name: str) -> tuple[str, str]:
        parts = urlsplit(self.url)
        return parts.netloc, f"{parts.path.strip('/')}/{name}"


def _move(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, target)


async def _in_thread(function: Callable[..., T], *arguments: object) -> T:
    # Not in asyncio's default threads: they are few, and a disk may block them.
    with ThreadPoolExecutor(1, thread_name_prefix="stage") as thread:
        return await asyncio.get_running_loop().run_in_executor(thread, function, *arguments)
