"""Into which parts a copy divides an object."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from orca_daemon.engine.errors import Reject

MIB = 1024**2
SMALLEST_PART = 5 * MIB
LARGEST_PART = 5 * 1024 * MIB
"""Also the largest object that one CopyObject takes (AWS: S3 multipart upload limits)."""
MOST_PARTS = 10_000
LARGEST_OBJECT = MOST_PARTS * LARGEST_PART
"""48.8 TiB (AWS: S3 multipart upload limits).  It was 5 TiB before, and may still be so in other stores."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`size` bytes in parts of `part` bytes, the last one shorter; `part` 0 means one CopyObject."""

    size: int
    part: int

    @property
    def parts(self) -> int:
        """Number of parts; 1 for a CopyObject."""
        return math.ceil(self.size / self.part) if self.part else 1

    def ranges(self) -> Iterator[tuple[int, int, int]]:
        """Of each part: its number from 1, first byte, last byte (inclusive, as in HTTP ranges)."""
        for index, first in enumerate(range(0, self.size, self.part)):
            yield index + 1, first, min(first + self.part, self.size) - 1


def plan(size: int, *, chunk: int, threshold: int, source_part: int | None = None) -> Plan:
    """Choose between one CopyObject and parts, and the size of the parts.

    Args:
        size: bytes of the object.
        chunk: wanted bytes of a part; it is raised or lowered to S3's limits, and raised if the object would
            need more than 10,000 parts.
        threshold: largest size, in bytes, for which one CopyObject is used.
        source_part: bytes of the source's own parts, if the copy should have the same: that makes the ETags
            equal.

    Raises:
        Reject: the object is larger than S3 allows.
    """
    if size > LARGEST_OBJECT:
        raise Reject(f"{size:,} bytes are more than S3 holds in one object (48.8 TiB)")
    if size and source_part and _allowed(size, source_part):
        return Plan(size, source_part)
    if size <= min(threshold, LARGEST_PART):
        return Plan(size, 0)
    needed = math.ceil(size / MOST_PARTS)
    if needed > chunk:  # whole MiB are easier to read, and leave some of the 10,000 part numbers free
        needed = math.ceil(needed / MIB) * MIB
    return Plan(size, min(max(chunk, needed, SMALLEST_PART), LARGEST_PART))


def _allowed(size: int, part: int) -> bool:
    # The last part, or the only one, may be smaller than the limit.
    return (part >= SMALLEST_PART or part >= size) and part <= LARGEST_PART and size <= part * MOST_PARTS
