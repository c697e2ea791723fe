"""What a transaction could see, so that the next run knows what it could not."""

import base64
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

EPOCH = 2**32
"""Row versions carry the lower 32 bits of a transaction's number."""
FIRST_NORMAL = 3
"""Lower numbers mark rows that are older than any transaction (Postgres: FirstNormalTransactionId)."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The transactions below `xmin` were over, those from `xmax` on had not begun or not ended.

    In between lie both kinds.  `pg_current_snapshot()` lists those that were running, but only top-level
    ones: the rows of their savepoints carry numbers of their own, which it does not show.  So the ones
    that were *seen* in the table are kept instead, which is exact for both, and on a standby.
    """

    xmin: int
    xmax: int
    seen: frozenset[int] = field(default=frozenset(), repr=False)
    cluster: str = ""
    """The system identifier of the server: numbers of another one mean nothing here."""

    @classmethod
    def parse(cls, text: str, cluster: str = "") -> "Snapshot":
        """From the text of a `pg_snapshot`, `xmin:xmax:list`."""
        xmin, xmax, _ = text.split(":")
        return cls(int(xmin), int(xmax), cluster=cluster)

    @property
    def settled(self) -> bool:
        """Whether there is nothing in between."""
        return self.xmin == self.xmax

    def comparable(self, now: "Snapshot") -> bool:
        """Whether this one, taken earlier, says anything about rows that `now` sees."""
        return not (self.cluster and now.cluster) or self.cluster == now.cluster

    def could_see(self, writer: int) -> bool:
        """Whether the rows of this transaction were visible, if it was committed at all."""
        return writer < self.xmin or (writer < self.xmax and writer in self.seen)


def full_number(low: int, top: int) -> int:
    """The 64-bit number of a row's writer; `top` is the highest that the reader can see (its xmax - 1)."""
    return low if low < FIRST_NORMAL else top - (top - low) % EPOCH


def pack(numbers: Iterable[int]) -> str:
    """Transaction numbers as text: differences of neighbours, compressed."""
    ordered = sorted(numbers)
    steps = array("q", (b - a for a, b in zip([0, *ordered], ordered, strict=False)))
    return base64.b64encode(zlib.compress(steps.tobytes())).decode("ascii")


def unpack(text: str) -> frozenset[int]:
    """The numbers in a text of `pack`."""
    steps = array("q", zlib.decompress(base64.b64decode(text)))
    found, last = set(), 0
    for step in steps:
        last += step
        found.add(last)
    return frozenset(found)
