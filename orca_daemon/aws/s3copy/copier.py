"""One copy from beginning to end: look, skip, copy, verify."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from orca_daemon.aws.s3copy.abandoned_uploads import clear
from orca_daemon.aws.s3copy.content_match import ContentMatch, compare
from orca_daemon.aws.s3copy.errors import (
    CopyError,
    ObjectArchivedError,
    ObjectMissingError,
    VerificationError,
    explained,
)
from orca_daemon.aws.s3copy.multipart import MultipartCopy, pinned
from orca_daemon.aws.s3copy.objects import ObjectHead, S3Object, head_object
from orca_daemon.aws.s3copy.plan import MIB, Plan, plan
from orca_daemon.aws.s3copy.progress import CopyProgress, Observer, unobserved
from orca_daemon.aws.s3copy.requests import Requests, S3RequestError
from orca_daemon.aws.s3copy.tags import tag_set
from orca_daemon.aws.s3copy.verbatim import prepare
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.errors import Refused

USUAL_PART = 250 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyOptions:
    """How copies are made."""

    files: int = 16
    """Files at one time."""
    requests: int = 32
    """Requests at one time, over all files."""
    chunk: int = 250 * MIB
    """Bytes of a part, where a copy does not ask for another size."""
    threshold: int = 1024 * MIB
    """Up to this many bytes, one CopyObject does it."""
    storage_class: str = "STANDARD"
    kms_key_id: str | None = None
    """Default: the target bucket's own encryption."""
    tries: int = 3
    """Of one request that fails in a transient way; more for what an upload hangs on."""
    backoff: Backoff = field(default_factory=lambda: Backoff(base=0.5, cap=20.0))
    idle: float = 60.0
    """Seconds without a new part after which an upload to the same key is taken for dead and aborted.

    More for parts larger than usual, which take longer.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """The target holds what the source holds."""

    size: int
    parts: int
    skipped: bool
    """It did already; nothing was copied."""
    by: str
    """What proved it: a checksum's name, `ETag`, or `size and every part` where S3 reports no more."""
    seconds: float = 0.0


class Copier:
    """Copies objects over one aiobotocore S3 client.

    Two copies to the same target wait for each other, and the second finds the work done.
    """

    def __init__(self, s3: Any, options: CopyOptions, observe: Observer = unobserved) -> None:
        self._options, self._observe = options, observe
        self._files = asyncio.Semaphore(options.files)
        self._targets: dict[S3Object, tuple[asyncio.Lock, int]] = {}
        prepare(s3)
        self.requests = Requests(s3, limit=options.requests, tries=options.tries, backoff=options.backoff)

    async def copy(self, source: S3Object, target: S3Object, *, chunk: int | None = None) -> Copied:
        """Bring the newest version of `source` to `target`.

        Args:
            source: must be readable now, that is, not archived.
            target: is replaced, unless it holds the same already.
            chunk: bytes of a part; default: the source's own parts where that lets the ETags be compared,
                else the option.

        Raises:
            Reject: `ObjectMissingError`, `ObjectArchivedError`, or another reason that no retry mends; it is
                a sentence.
            CopyError: worth trying again; `SourceChangedError`, `VerificationError` or in general.
            NotYet: S3 asks for patience, and has had some.
            DependencyDown: the place cannot be reached, or does not accept the credentials.
            Refused: the place denies it.
        """
        try:
            async with self._alone(target), self._files:
                return await self._copy(source, target, chunk)
        except S3RequestError as failure:
            raise explained(failure, source, target) from failure

    async def holds(self, source: S3Object, target: S3Object) -> bool:
        """Whether the target is known to hold what the source holds.  Raises as `head_object` does."""
        head, there = await self._both(source, target)
        return _held(head, there) is not None

    async def head(self, place: S3Object) -> ObjectHead:
        """The facts of an object.

        Raises:
            ObjectMissingError: there is none.
            Refused: S3 does not show it to us.
            DependencyDown: the place cannot be reached.
        """
        try:
            return await head_object(self.requests, place)
        except S3RequestError as failure:
            raise explained(failure, place, place) from failure

    @asynccontextmanager
    async def _alone(self, target: S3Object) -> AsyncIterator[None]:
        lock, users = self._targets.get(target, (asyncio.Lock(), 0))
        self._targets[target] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._targets.pop(target)
            if users > 1:
                self._targets[target] = lock, users - 1

    async def _copy(self, source: S3Object, target: S3Object, chunk: int | None) -> Copied:
        began = time.monotonic()
        head, there = await self._both(source, target)
        if head.archived:
            raise ObjectArchivedError(_in_archive(source, head))
        part_plan = await self._plan(source, head, chunk)
        if part_plan.part:
            await clear(
                self.requests, target, idle=self._options.idle * max(1.0, part_plan.part / USUAL_PART)
            )
        if already := _held(head, there):
            return Copied(size=head.size, parts=0, skipped=True, by=already.by)
        track = _Track(self._observe, source, target, part_plan, began)
        track.moved(0)
        etag = await self._write(source, head, target, part_plan, track)
        verdict = await self._verify(head, target, etag)
        return Copied(
            size=head.size,
            parts=part_plan.parts,
            skipped=False,
            by=verdict.by if verdict.same else "size and every part",
            seconds=time.monotonic() - began,
        )

    async def _plan(self, source: S3Object, head: ObjectHead, chunk: int | None) -> Plan:
        options = self._options
        alike = None
        # Cut like the source, the copy has the source's ETag: the only proof of equal content where the
        # archive is older than S3's checksums.  KMS makes ETags that prove nothing.
        if not chunk and head.part_count and not head.checksums and "kms" not in head.encryption:
            part = await self.requests.call("head_object", **source.parameters, PartNumber=1)
            first = part["ContentLength"]
            alike = first if first and -(-head.size // first) == head.part_count else None
        return plan(head.size, chunk=chunk or options.chunk, threshold=options.threshold, alike=alike)

    async def _both(self, source: S3Object, target: S3Object) -> tuple[ObjectHead, ObjectHead | None]:
        """The facts of source and target, asked for at one time; None for a target that is not there."""
        head, there = await asyncio.gather(self.head(source), self._there(target), return_exceptions=True)
        for found in (head, there):
            if isinstance(found, BaseException):
                raise found
        return cast("tuple[ObjectHead, ObjectHead | None]", (head, there))

    async def _there(self, target: S3Object) -> ObjectHead | None:
        try:
            return await self.head(target)
        except (ObjectMissingError, Refused):  # S3 denies what is missing to those who may not list
            return None

    async def _write(
        self, source: S3Object, head: ObjectHead, target: S3Object, part_plan: Plan, track: "_Track"
    ) -> str:
        """Copy, and return the ETag that the target should have now."""
        if not part_plan.part:
            answer = await self.requests.call(
                "copy_object",
                head.size,
                **target.parameters,
                **pinned(source, head),
                **self._storage,
            )
            track.moved(head.size)
            return str(answer["CopyObjectResult"]["ETag"])
        tags = await tag_set(self.requests, source, head)
        upload = MultipartCopy(self.requests, source, head, target, part_plan)
        return await upload.run({**self._storage, **({"Tagging": tags} if tags else {})}, track.moved)

    @property
    def _storage(self) -> Mapping[str, str]:
        key = self._options.kms_key_id
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
        # Never the source's: an object kept in GLACIER would be archived again.
        return {"StorageClass": self._options.storage_class, **encryption}

    async def _verify(self, head: ObjectHead, target: S3Object, etag: str) -> ContentMatch:
        try:
            there = await self.head(target)
        except ObjectMissingError as error:
            raise CopyError(f"{target} is not there after the copy") from error
        verdict = compare(head, there)
        if verdict.same is False:
            raise VerificationError(f"{target} differs from its source in {verdict.by} after the copy")
        if not verdict.same and there.etag != etag:
            raise VerificationError(f"{target} was replaced by somebody else during the copy")
        return verdict


@dataclass(slots=True)
class _Track:
    """Adds up the bytes of one copy and calls the observer."""

    observe: Observer
    source: S3Object
    target: S3Object
    plan: Plan
    began: float
    done: int = 0

    def moved(self, step: int) -> None:
        self.done += step
        self.observe(
            CopyProgress(
                source=self.source,
                target=self.target,
                size=self.plan.size,
                done=self.done,
                step=step,
                parts=self.plan.parts,
                seconds=time.monotonic() - self.began,
            )
        )


def _held(head: ObjectHead, there: ObjectHead | None) -> ContentMatch | None:
    """How the target proves to hold the content already, if it does and will."""
    if there is None or there.in_archive:
        return None
    verdict = compare(head, there)
    return verdict if verdict.same else None


def _in_archive(source: S3Object, head: ObjectHead) -> str:
    where = head.archive_status or head.storage_class
    if head.restoring:
        return f"{source} is in {where} and its restore is still running"
    return f"{source} is in {where} and not restored (or its restore has expired)"
