"""The transactions that a run could see, so that the next run exports the rows of the others."""

import base64
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

EPOCH = 2**32
"""A row's `xmin` has only the lower 32 bits of a transaction id, so ids repeat after an epoch."""
FIRST_NORMAL = 3
"""Lower ids mark rows that are older than any transaction (Postgres: FirstNormalTransactionId)."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot: transactions below `xmin` had ended, those from `xmax` on had not.

    In between, some had ended and some had not.  `pg_current_snapshot()` lists the running ones, but only
    top-level transactions: rows of savepoints have the ids of subtransactions, which it does not list.  So we
    record the ids that were *seen* in the table, which is exact for both, and on a standby.
    """

    xmin: int
    xmax: int
    seen: bytes = field(default=b"", repr=False)
    """A bit for each id from `xmin`, the lowest bit of a byte first; ids past its end were not seen.

    Bits in place of a list, because there may be millions of ids if another transaction runs for long:
    Postgres would not hash a list of that length, but search it for each row.
    """
    cluster: str = ""
    """The system identifier of the server; ids of different servers cannot be compared."""

    @classmethod
    def parse(cls, text: str, cluster: str = "") -> "Snapshot":
        """From the text of a `pg_snapshot`, `xmin:xmax:list`."""
        xmin, xmax, _ = text.split(":")
        return cls(int(xmin), int(xmax), cluster=cluster)

    @property
    def settled(self) -> bool:
        """Whether no id is between `xmin` and `xmax`."""
        return self.xmin == self.xmax

    def having_seen(self, writers: Iterable[int]) -> "Snapshot":
        """The same snapshot, with these transactions marked as seen; all are between `xmin` and `xmax`."""
        bits = bytearray((self.xmax - self.xmin + 7) // 8)
        for writer in writers:
            bits[(writer - self.xmin) // 8] |= 1 << (writer - self.xmin) % 8
        return replace(self, seen=bytes(bits.rstrip(b"\x00")))

    def comparable(self, now: "Snapshot") -> bool:
        """Whether this earlier snapshot and `now` are of the same server, as far as that is known."""
        return not (self.cluster and now.cluster) or self.cluster == now.cluster

    def could_see(self, writer: int) -> bool:
        """Whether rows of this transaction were visible, if it was committed."""
        if writer < self.xmin:
            return True
        byte, bit = divmod(writer - self.xmin, 8)
        return byte < len(self.seen) and bool(self.seen[byte] >> bit & 1)


def full_number(low: int, top: int) -> int:
    """The 64-bit id of a row's writer; `top` is the highest id that the reader can see (its xmax - 1)."""
    return low if low < FIRST_NORMAL else top - (top - low) % EPOCH


def pack(bits: bytes) -> str:
    """Bits as text, compressed."""
    return base64.b64encode(zlib.compress(bits)).decode("ascii")


def unpack(text: str) -> bytes:
    """The bits in a text of `pack`.  Raises ValueError."""
    try:
        return zlib.decompress(base64.b64decode(text))
    except zlib.error as error:
        raise ValueError("the text is not compressed bits") from error
