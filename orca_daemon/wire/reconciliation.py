"""Reconciliation, which compares S3 with the catalog: the status of a job, and the kinds of differences."""

from enum import IntEnum

from orca_daemon.wire.text_enum import TextEnum


class ReconcileStatus(IntEnum):
    """Status of a reconciliation job; the numbers are rows of `reconcile_status`."""

    GETTING_S3_LIST = 1
    STAGED = 2
    GENERATING_REPORTS = 3
    ERROR = 4
    SUCCESS = 5


class DifferenceKind(TextEnum):
    """A kind of difference between a bucket and the catalog; each has a report of its own."""

    PHANTOM = "phantom"
    """In the catalog, but not in S3."""
    ORPHAN = "orphan"
    """In S3, but not in the catalog."""
    MISMATCH = "mismatch"
    """In both, but different."""
