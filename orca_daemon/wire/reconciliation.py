"""The states of a comparison of S3 with the catalog."""

from enum import IntEnum


class ReconcileStatus(IntEnum):
    """How far a comparison has come; the numbers are rows of `reconcile_status`."""

    GETTING_S3_LIST = 1
    STAGED = 2
    GENERATING_REPORTS = 3
    ERROR = 4
    SUCCESS = 5
