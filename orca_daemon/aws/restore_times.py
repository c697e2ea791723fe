"""How long S3 takes to restore an object, by tier and storage class, as AWS documents it."""

from collections.abc import Mapping

from orca_daemon.wire.restore import Tier

READABLE = "it can be read now"
NOT_POSSIBLE = "not possible"
SOME_HOURS = "3 to 5 hours"
_TIMES: Mapping[str, Mapping[Tier, str]] = {
    "GLACIER": {
        Tier.EXPEDITED: "1 to 5 minutes",
        Tier.STANDARD: SOME_HOURS,
        Tier.BULK: "5 to 12 hours",
    },
    "DEEP_ARCHIVE": {
        Tier.EXPEDITED: NOT_POSSIBLE,
        Tier.STANDARD: "within 12 hours",
        Tier.BULK: "within 48 hours",
    },
}
"""AWS: Understanding archive retrieval options.  Expedited takes longer for objects of more than 250 MB, and
S3 refuses it while it has no capacity.
"""
ARCHIVED = frozenset(_TIMES)
"""Storage classes whose objects have to be restored before they can be read."""
REQUESTS_PER_SECOND = 1_000
"""Restore requests that AWS accepts per account and region (AWS: Restoring an archived object)."""


def how_long(storage_class: str, tier: Tier) -> str:
    """How long a restore takes, for people."""
    return _TIMES[storage_class][tier] if storage_class in _TIMES else READABLE


def is_possible(storage_class: str, tier: Tier) -> bool:
    """Whether objects of this class can be had by this tier."""
    return how_long(storage_class, tier) != NOT_POSSIBLE
