"""Limits wrong tokens, for each peer and in all, so that a token cannot be found by trying."""

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    """Failures that are not forgiven yet; time forgives them."""

    failures: float = 0.0
    at: float = 0.0

    def level(self, now: float, per_second: float) -> float:
        self.failures = max(0.0, self.failures - (now - self.at) * per_second)
        self.at = now
        return self.failures


class Throttle:
    """Counts failures.  A peer with none is never refused; times are seconds of the monotonic clock."""

    PEER, PEER_PER_SECOND = 10, 1 / 6
    """Failures of one peer before it is refused, and how many are forgiven per second."""
    ALL, ALL_PER_SECOND = 200, 2.0
    """The same for all together: then peers that have failed before are refused."""
    MOST_PEERS = 10_000

    def __init__(self) -> None:
        self._peers: OrderedDict[str, _Bucket] = OrderedDict()
        self._all = _Bucket()

    def wait(self, peer: str, now: float) -> float:
        """Seconds until this peer may try again; 0 if it may now."""
        bucket = self._peers.get(peer)
        level = bucket.level(now, self.PEER_PER_SECOND) if bucket else 0.0
        if level < 1:
            return 0.0
        together = self._all.level(now, self.ALL_PER_SECOND)
        return max(
            0.0,
            (level - self.PEER + 1) / self.PEER_PER_SECOND,
            (together - self.ALL + 1) / self.ALL_PER_SECOND,
        )

    def failed(self, peer: str, now: float) -> None:
        """Count a wrong token."""
        bucket = self._peers.setdefault(peer, _Bucket(at=now))
        self._peers.move_to_end(peer)
        bucket.failures = bucket.level(now, self.PEER_PER_SECOND) + 1
        self._all.failures = min(self._all.level(now, self.ALL_PER_SECOND), self.ALL) + 1
        if len(self._peers) > self.MOST_PEERS:
            self._peers.popitem(last=False)
