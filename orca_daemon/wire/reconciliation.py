"""The status of a reconciliation job, which compares S3 with the catalog."""

from enum import IntEnum


class ReconcileStatus(IntEnum):
    """Status of a reconciliation job; the numbers are rows of `reconcile_status`."""

    GETTING_S3_LIST = 1
    STAGED = 2
    GENERATING_REPORTS = 3
    ERROR = 4
    SUCCESS = 5
