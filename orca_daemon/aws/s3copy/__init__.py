"""Server-side copies of S3 objects of any size: pinned to their source, verified, never incomplete.

`Copier.copy` reads the heads of source and target, skips the copy if the target already holds the same,
copies in one request or in parallel parts, and verifies.  No byte of an object passes through this process.
"""

from orca_daemon.aws.s3copy.copier import Copied, Copier, CopyOptions
from orca_daemon.aws.s3copy.errors import (
    CopyError,
    ObjectArchivedError,
    ObjectMissingError,
    SourceChangedError,
    VerificationError,
)
from orca_daemon.aws.s3copy.objects import ObjectHead, S3Object, head_object
from orca_daemon.aws.s3copy.progress import CopyProgress

__all__ = [
    "Copied",
    "Copier",
    "CopyError",
    "CopyOptions",
    "CopyProgress",
    "ObjectArchivedError",
    "ObjectHead",
    "ObjectMissingError",
    "S3Object",
    "SourceChangedError",
    "VerificationError",
    "head_object",
]
