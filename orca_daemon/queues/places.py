"""The places of S3 that work needs, by the names that it reports when it succeeds or fails there."""

S3 = "s3"


def read(bucket: str) -> tuple[str, str]:
    """Reading from a bucket."""
    return (S3, f"read {bucket}")


def write(bucket: str) -> tuple[str, str]:
    """Writing to a bucket."""
    return (S3, f"write {bucket}")
