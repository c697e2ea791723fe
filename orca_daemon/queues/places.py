"""Names of the places in S3 that a message needs; handlers report success and failure by the same names."""

S3 = "s3"


def read(bucket: str) -> tuple[str, str]:
    """The place for reads from a bucket."""
    return (S3, f"read {bucket}")


def write(bucket: str) -> tuple[str, str]:
    """The place for writes to a bucket."""
    return (S3, f"write {bucket}")
