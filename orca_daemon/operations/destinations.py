"""Whether the buckets that copies go to exist: HeadBucket, once for each bucket."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from orca_daemon.aws.errors import Meaning, reason_of
from orca_daemon.aws.s3copy.requests import Requests, S3RequestError

_PATIENCE = 5.0
"""Seconds to wait for S3, because a command goes on without the answer."""


@dataclass(slots=True)
class Destinations:
    """The buckets that were asked for so far."""

    requests: Requests
    unknown: dict[str, str] = field(default_factory=dict)
    """Why S3 does not tell whether a bucket exists, by bucket."""
    _asked: dict[str, asyncio.Task[bool]] = field(default_factory=dict)

    async def is_missing(self, bucket: str) -> bool:
        """Whether S3 says that the bucket does not exist; not if it says nothing, or the role may not ask.

        S3 answers a role without `s3:ListBucket` with 403 if the bucket exists, and with 404 if it does not
        (AWS: HeadBucket).  So 404 is certain, and anything else but a success leaves it open.
        """
        if bucket not in self._asked:
            self._asked[bucket] = asyncio.create_task(self._ask(bucket))
        return await self._asked[bucket]

    async def _ask(self, bucket: str) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.requests.call("head_bucket", Bucket=bucket)
        except TimeoutError:
            self.unknown[bucket] = f"S3 did not answer within {_PATIENCE:.0f} s"
        except S3RequestError as failure:
            if failure.meaning is Meaning.MISSING:
                return True
            self.unknown[bucket] = reason_of(failure.error)
        return False


def sentence(bucket: str) -> str:
    """The reason of a copy that cannot be made, as the daemon words it."""
    return f"bucket {bucket} does not exist"


def sentences(unknown: Mapping[str, str]) -> list[str]:
    """What is not known of the buckets."""
    return [f"whether bucket {name} exists is not known: {why}" for name, why in unknown.items()]
