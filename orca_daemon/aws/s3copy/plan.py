"""How an object is cut into parts for a multipart copy."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from orca_daemon.engine.errors import Reject

MIB = 1024**2
SMALLEST_PART = 5 * MIB
LARGEST_PART = 5 * 1024 * MIB
"""Also the most that one CopyObject takes (AWS: S3 multipart upload limits)."""
MOST_PARTS = 10_000
LARGEST_OBJECT = MOST_PARTS * LARGEST_PART
"""48.8 TiB (AWS: S3 multipart upload limits); it was 5 TiB for long, and other stores may keep to that."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Cuts `size` bytes into parts of `part` bytes, the last one shorter; `part` 0 is one CopyObject."""

    size: int
    part: int

    @property
    def parts(self) -> int:
        """Number of parts; 1 for a CopyObject."""
        return math.ceil(self.size / self.part) if self.part else 1

    def ranges(self) -> Iterator[tuple[int, int, int]]:
        """Part number from 1, first byte, last byte (inclusive, as HTTP ranges are)."""
        for index, first in enumerate(range(0, self.size, self.part)):
            yield index + 1, first, min(first + self.part, self.size) - 1


def plan(size: int, *, chunk: int, threshold: int, alike: int | None = None) -> Plan:
    """Choose between one CopyObject and parts, and the size of the parts.

    Args:
        size: bytes of the object.
        chunk: wanted bytes of a part; brought into S3's limits and raised when 10,000 parts would not do.
        threshold: up to this many bytes, one CopyObject does it.
        alike: bytes of the source's own parts, where cutting alike is wanted: it makes the ETags equal.

    Raises:
        Reject: the object is larger than S3 allows.
    """
    if size > LARGEST_OBJECT:
        raise Reject(f"{size:,} bytes are more than S3 holds in one object (48.8 TiB)")
    if size and alike and _allowed(size, alike):
        return Plan(size, alike)
    if size <= min(threshold, LARGEST_PART):
        return Plan(size, 0)
    needed = math.ceil(size / MOST_PARTS)
    if needed > chunk:  # a round number reads better in the console, and leaves the last parts some room
        needed = math.ceil(needed / MIB) * MIB
    return Plan(size, min(max(chunk, needed, SMALLEST_PART), LARGEST_PART))


def _allowed(size: int, part: int) -> bool:
    # The last part may be small, and so may the only one.
    return (part >= SMALLEST_PART or part >= size) and part <= LARGEST_PART and size <= part * MOST_PARTS
