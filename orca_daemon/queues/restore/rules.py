"""What a request may ask for: files, buckets, tiers and bytes.  Beyond that nothing is posted or asked."""

from dataclasses import dataclass
from typing import Self

from orca_daemon.engine.errors import Reject
from orca_daemon.settings import Settings
from orca_daemon.settings.buckets import CopyRules, matches
from orca_daemon.wire.restore import RestoreRequest, Tier

PREFIX = "nothing is restored: "


class RefusedRequestError(Reject):
    """A setting refuses the request; nothing was posted, and nothing asked of S3."""

    def __init__(self, sentence: str) -> None:
        super().__init__(PREFIX + sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRules:
    """The settings that decide."""

    copies: CopyRules
    """A file that is restored is copied: what a copy may not do is not restored either."""
    bucket: str | None = None
    """`restore.bucket`."""
    tier: Tier = Tier.STANDARD
    """`restore.tier`."""
    days: int = 5
    """`restore.days`."""
    tiers: tuple[Tier, ...] = tuple(Tier)
    """`restore.tiers`."""
    sources: tuple[str, ...] | None = None
    """`restore.sources`."""
    targets: tuple[str, ...] | None = None
    """`restore.targets`."""
    max_files: int = 100_000
    max_bytes: int = 10 * 1024**4
    bytes_per_day: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The rules of these settings."""
        restore = settings.restore
        return cls(
            copies=CopyRules.of(settings),
            bucket=restore.bucket,
            tier=restore.tier,
            days=restore.days,
            tiers=restore.tiers,
            sources=restore.sources,
            targets=restore.targets,
            max_files=restore.max_files,
            max_bytes=restore.max_bytes,
            bytes_per_day=restore.bytes_per_day,
        )

    def archive(self, request: RestoreRequest) -> str:
        """The bucket to restore from.

        Raises:
            RefusedRequestError: neither the request nor a setting names it, or a setting forbids it.
        """
        bucket = request.bucket or self.bucket
        if bucket is None:
            raise RefusedRequestError("the request names no archive bucket, and restore.bucket is not set")
        if self.sources is not None and not matches(bucket, self.sources):
            raise RefusedRequestError(f"{bucket} is an archive that restore.sources does not name")
        if refusal := self.copies.source_refusal(bucket):
            raise RefusedRequestError(refusal)
        return bucket

    def check(self, request: RestoreRequest) -> None:
        """Check what can be checked before S3 is asked.

        Raises:
            RefusedRequestError: a setting forbids it.
        """
        archive = self.archive(request)
        tier = request.tier or self.tier
        if tier not in self.tiers:
            raise RefusedRequestError(f"the tier {tier} is not among restore.tiers")
        if (files := sum(len(granule.files) for granule in request.granules)) > self.max_files:
            raise RefusedRequestError(
                f"the request has {files:,} files, and restore.max_files is {self.max_files:,}"
            )
        for bucket in dict.fromkeys(file.destination for _, file in request.files):
            if self.targets is not None and not matches(bucket, self.targets):
                raise RefusedRequestError(f"{bucket} is a destination that restore.targets does not name")
            if refusal := self.copies.refusal(archive, bucket):
                raise RefusedRequestError(refusal)

    def check_bytes(self, size: int) -> None:
        """Check the bytes that S3 has to restore for one message.

        Raises:
            RefusedRequestError: they are too many.
        """
        if size > self.max_bytes:
            raise RefusedRequestError(
                f"S3 would have to restore {size:,} bytes, and restore.max_bytes is {self.max_bytes:,}"
            )

    def day_refusal(self, left: int) -> RefusedRequestError:
        """Why the bytes of this day do not suffice; `left` of them are left."""
        return RefusedRequestError(
            f"of the {self.bytes_per_day or 0:,} bytes that restore.bytes_per_day allows, {left:,} are left "
            "until midnight UTC; send it again then"
        )
