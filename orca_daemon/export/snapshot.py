"""What a transaction could see, so that the next run knows what it could not."""

import base64
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

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
    seen: bytes = field(default=b"", repr=False)
    """A bit for each number from `xmin`, the lowest of a byte first; past its end, none was seen.

    Bits, because a long transaction elsewhere leaves millions in between: a set of so many is more than
    Postgres hashes, and it would look through all of them for each row.
    """
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

    def having_seen(self, writers: Iterable[int]) -> "Snapshot":
        """The same with these transactions, all of them in between, as seen."""
        bits = bytearray((self.xmax - self.xmin + 7) // 8)
        for writer in writers:
            bits[(writer - self.xmin) // 8] |= 1 << (writer - self.xmin) % 8
        return replace(self, seen=bytes(bits.rstrip(b"\x00")))

    def comparable(self, now: "Snapshot") -> bool:
        """Whether this one, taken earlier, says anything about rows that `now` sees."""
        return not (self.cluster and now.cluster) or self.cluster == now.cluster

    def could_see(self, writer: int) -> bool:
        """Whether the rows of this transaction were visible, if it was committed at all."""
        if writer < self.xmin:
            return True
        byte, bit = divmod(writer - self.xmin, 8)
        return byte < len(self.seen) and bool(self.seen[byte] >> bit & 1)


def full_number(low: int, top: int) -> int:
    """The 64-bit number of a row's writer; `top` is the highest that the reader can see (its xmax - 1)."""
    return low if low < FIRST_NORMAL else top - (top - low) % EPOCH


def pack(bits: bytes) -> str:
    """Bits as text, compressed."""
    return base64.b64encode(zlib.compress(bits)).decode("ascii")


def unpack(text: str) -> bytes:
    """The bits in a text of `pack`.  Raises ValueError."""
    try:
        return zlib.decompress(base64.b64decode(text))
    except zlib.error as error:
        raise ValueError("no compressed bits") from error
