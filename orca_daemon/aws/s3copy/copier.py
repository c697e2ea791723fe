"""One copy from beginning to end: read both heads, skip or copy, verify."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

from orca_daemon.aws.s3copy.abandoned_uploads import abort_abandoned
from orca_daemon.aws.s3copy.errors import (
    CopyError,
    ObjectArchivedError,
    ObjectMissingError,
    VerificationError,
    explained,
)
from orca_daemon.aws.s3copy.metadata import allow_raw_headers, tag_set
from orca_daemon.aws.s3copy.multipart import MultipartCopy, pinned
from orca_daemon.aws.s3copy.objects import ContentMatch, ObjectHead, S3Object, compare, head_object, of_copy
from orca_daemon.aws.s3copy.plan import MIB, Plan, plan
from orca_daemon.aws.s3copy.progress import Observer, Tracker, unobserved
from orca_daemon.aws.s3copy.requests import Requests, S3RequestError
from orca_daemon.aws.s3copy.window import Window
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.errors import Refused

_USUAL_PART = 250 * MIB
LARGE_FILES = 16
"""Files in parts at one time, if no setting says otherwise: each may use all requests, and a stop of the
daemon loses the parts of those that are not complete.
"""
_UNDECIDED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NotImplemented"})
"""Answers to a conditional copy: the target exists, somebody writes it, the store has no conditions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyOptions:
    """How copies are made."""

    files: int | None = None
    """Files copied at one time; default: no limit, but of files in parts no more than `LARGE_FILES`."""
    requests: int | None = None
    """Requests at one time, over all files; default: as many as S3 bears (`window`)."""
    chunk: int = 250 * MIB
    """Bytes of a part, unless a copy asks for another size."""
    threshold: int = 1024 * MIB
    """Largest size, in bytes, for which one CopyObject is used."""
    storage_class: str = "STANDARD"
    kms_key_id: str | None = None
    """Default: the target bucket's own encryption."""
    tries: int = 3
    """Tries of a request that fails in a transient way; requests that complete an upload have more."""
    backoff: Backoff = field(default_factory=lambda: Backoff(base=0.5, cap=20.0))
    idle: float = 60.0
    """Seconds without a new part after which an upload to the same key counts as abandoned, and is aborted.

    For parts larger than 250 MiB it is longer in proportion.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A success: the target holds what the source holds."""

    size: int
    parts: int
    skipped: bool
    """The target held the same before; nothing was copied."""
    by: str
    """The proof: a checksum's name, `ETag`, or `size and every part` if S3 reports no more than that."""
    seconds: float = 0.0


class Copier:
    """Copies objects over one aiobotocore S3 client.

    Of two copies to the same target, the second waits for the first, and then finds that it is done.
    """

    def __init__(self, s3: Any, options: CopyOptions, observe: Observer = unobserved) -> None:
        self._options, self._observe = options, observe
        self._files = asyncio.Semaphore(options.files) if options.files else nullcontext()
        self._large = asyncio.Semaphore(options.files or LARGE_FILES)
        self._targets: dict[S3Object, tuple[asyncio.Lock, int]] = {}
        allow_raw_headers(s3)
        self.requests = Requests(
            s3, window=Window.up_to(options.requests), tries=options.tries, backoff=options.backoff
        )

    async def copy(
        self, source: S3Object, target: S3Object, *, chunk: int | None = None, first: bool = False
    ) -> Copied:
        """Bring the newest version of `source` to `target`.

        Args:
            source: must be readable now, that is, not archived.
            target: is replaced, unless it holds the same already.
            chunk: bytes of a part; default: those of the source's own parts if ETags are the only proof,
                else the option.
            first: nobody is known to have begun this copy before.  Then the target is not read in advance:
                S3 is asked to copy only if it does not exist.

        Raises:
            Reject: `ObjectMissingError`, `ObjectArchivedError`, or another failure that no retry can mend.
            CopyError: another attempt may succeed; also as `SourceChangedError` or `VerificationError`.
            NotYet: S3 asked to slow down, and still did after several tries.
            DependencyDown: the place cannot be reached, or refuses the credentials.
            Refused: the place denies access.
        """
        try:
            async with self._exclusive(target) as alone, self._files:
                return await self._copy(source, target, chunk, first=first and alone)
        except S3RequestError as failure:
            raise explained(failure, source, target) from failure

    async def holds(self, source: S3Object, target: S3Object) -> bool:
        """Whether the target provably holds what the source holds.  Raises as `head` does."""
        head, target_head = await self._heads(source, target)
        return _proof(head, target_head) is not None

    async def head(self, target: S3Object) -> ObjectHead:
        """The head of an object.

        Raises:
            ObjectMissingError: the object does not exist.
            Refused: S3 denies access to it.
            DependencyDown: the place cannot be reached.
        """
        try:
            return await head_object(self.requests, target)
        except S3RequestError as failure:
            raise explained(failure, target, target) from failure

    @asynccontextmanager
    async def _exclusive(self, target: S3Object) -> AsyncIterator[bool]:
        """Wait until no other copy to this target runs; the value is whether there was none."""
        lock, users = self._targets.get(target, (asyncio.Lock(), 0))
        self._targets[target] = lock, users + 1
        try:
            async with lock:
                yield not users
        finally:
            lock, users = self._targets.pop(target)
            if users > 1:
                self._targets[target] = lock, users - 1

    async def _copy(self, source: S3Object, target: S3Object, chunk: int | None, *, first: bool) -> Copied:
        began = time.monotonic()
        head, target_head = (await self.head(source), None) if first else await self._heads(source, target)
        part_plan = await self._planned(source, head, chunk)
        if not part_plan.part:
            tracker = Tracker(self._observe, source, target, part_plan, began)
            if first and (copied := await self._copy_if_new(source, head, target, tracker)):
                return copied
            if first:
                target_head = await self._head_if_exists(target)
            return await self._copy_unless_equal(source, head, target, target_head, tracker)
        waits = self._large.locked()
        async with self._large:
            if first or waits:
                head, target_head = await self._heads(source, target)
                part_plan = await self._planned(source, head, chunk)
            idle = self._options.idle * max(1.0, part_plan.part / _USUAL_PART)
            await abort_abandoned(self.requests, target, idle=idle)
            tracker = Tracker(self._observe, source, target, part_plan, began)
            return await self._copy_unless_equal(source, head, target, target_head, tracker)

    async def _planned(self, source: S3Object, head: ObjectHead, chunk: int | None) -> Plan:
        if head.archived:
            raise ObjectArchivedError(_in_archive(source, head))
        return await self._plan(source, head, chunk)

    async def _copy_if_new(
        self, source: S3Object, head: ObjectHead, target: S3Object, tracker: Tracker
    ) -> Copied | None:
        """Copy in one request if the target does not exist; None if it may exist."""
        tracker.copied(0)
        try:
            response = await self._copy_object(source, head, target, IfNoneMatch="*")
        except S3RequestError as failure:
            if failure.code in _UNDECIDED:
                return None
            raise
        match = compare(head, of_copy(response, head))
        if not match.same:  # encrypted by KMS, for example: only HeadObject shows what can be compared
            match = await self._verify(head, target, str(response["CopyObjectResult"]["ETag"]))
        tracker.copied(head.size)
        return _copied(head, tracker, match)

    async def _copy_unless_equal(
        self,
        source: S3Object,
        head: ObjectHead,
        target: S3Object,
        target_head: ObjectHead | None,
        tracker: Tracker,
    ) -> Copied:
        if proof := _proof(head, target_head):
            return Copied(size=head.size, parts=0, skipped=True, by=proof.by)
        tracker.copied(0)
        etag = await self._write(source, head, target, tracker)
        return _copied(head, tracker, await self._verify(head, target, etag))

    async def _plan(self, source: S3Object, head: ObjectHead, chunk: int | None) -> Plan:
        options = self._options
        source_part = None
        # With the parts of its source, the copy gets the source's ETag.  If the archive is older than S3's
        # checksums, that is the only proof of equal content.  With KMS, ETags prove nothing.
        if not chunk and head.part_count and not head.checksums and "kms" not in head.encryption:
            part = await self.requests.call("head_object", **source.parameters, PartNumber=1)
            first = part["ContentLength"]
            source_part = first if first and -(-head.size // first) == head.part_count else None
        return plan(
            head.size, chunk=chunk or options.chunk, threshold=options.threshold, source_part=source_part
        )

    async def _heads(self, source: S3Object, target: S3Object) -> tuple[ObjectHead, ObjectHead | None]:
        """The heads of source and target, requested together; None for a target that does not exist."""
        results = await asyncio.gather(
            self.head(source), self._head_if_exists(target), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return cast("tuple[ObjectHead, ObjectHead | None]", tuple(results))

    async def _head_if_exists(self, target: S3Object) -> ObjectHead | None:
        try:
            return await self.head(target)
        except (ObjectMissingError, Refused):  # without s3:ListBucket, S3 denies what does not exist
            return None

    async def _write(self, source: S3Object, head: ObjectHead, target: S3Object, tracker: Tracker) -> str:
        """Copy, and return the ETag that the target should have now."""
        if not tracker.plan.part:
            response = await self._copy_object(source, head, target)
            tracker.copied(head.size)
            return str(response["CopyObjectResult"]["ETag"])
        tags = await tag_set(self.requests, source, head)
        upload = MultipartCopy(self.requests, source, head, target, tracker.plan)
        return await upload.run({**self._storage, **({"Tagging": tags} if tags else {})}, tracker.copied)

    async def _copy_object(
        self, source: S3Object, head: ObjectHead, target: S3Object, **condition: str
    ) -> dict[str, Any]:
        return await self.requests.call(
            "copy_object",
            head.size,
            **target.parameters,
            **pinned(source, head),
            **self._storage,
            **condition,
        )

    @property
    def _storage(self) -> Mapping[str, str]:
        key = self._options.kms_key_id
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
        # The source's storage class is never kept, because an object in GLACIER would be archived again.
        return {"StorageClass": self._options.storage_class, **encryption}

    async def _verify(self, head: ObjectHead, target: S3Object, etag: str) -> ContentMatch:
        try:
            target_head = await self.head(target)
        except ObjectMissingError as error:
            raise CopyError(f"{target} does not exist after the copy") from error
        match = compare(head, target_head)
        if match.same is False:
            raise VerificationError(f"{target} differs from its source in {match.by} after the copy")
        if not match.same and target_head.etag != etag:
            raise VerificationError(f"{target} was replaced by somebody else during the copy")
        return match


def _copied(head: ObjectHead, tracker: Tracker, match: ContentMatch) -> Copied:
    return Copied(
        size=head.size,
        parts=tracker.plan.parts,
        skipped=False,
        by=match.by if match.same else "size and every part",
        seconds=time.monotonic() - tracker.began,
    )


def _proof(head: ObjectHead, target_head: ObjectHead | None) -> ContentMatch | None:
    """The proof that the target holds the source's content and will stay readable; None without a proof."""
    if target_head is None or target_head.in_archive:
        return None
    match = compare(head, target_head)
    return match if match.same else None


def _in_archive(source: S3Object, head: ObjectHead) -> str:
    where = head.archive_status or head.storage_class
    if head.restoring:
        return f"{source} is in {where} and its restore is still running"
    return f"{source} is in {where} and not restored (or its restore has expired)"
