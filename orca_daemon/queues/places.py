"""Names of the places in S3 that a message needs; handlers report success and failure by the same names."""

from orca_daemon.aws.s3_places import S3, reading, restoring, writing

__all__ = ["S3", "read", "restore", "write"]


def read(bucket: str) -> tuple[str, str]:
    """The place for reads from a bucket."""
    return (S3, reading(bucket))


def write(bucket: str) -> tuple[str, str]:
    """The place for writes to a bucket."""
    return (S3, writing(bucket))


def restore(bucket: str) -> tuple[str, str]:
    """The place for restores of archived objects of a bucket."""
    return (S3, restoring(bucket))
