"""Server-side copies of S3 objects of any size: pinned to their source, verified, never torn.

`Copier.copy` looks at source and target, skips what the target already holds, copies in one request or in
parallel parts, and verifies.  No byte of an object passes through this process.
"""

from orca_daemon.aws.s3copy.copier import Copied, Copier, Options
from orca_daemon.aws.s3copy.errors import (
    Archived,
    CopyFailed,
    Missing,
    SourceChanged,
    Unfit,
)
from orca_daemon.aws.s3copy.objects import Facts, Place, look
from orca_daemon.aws.s3copy.progress import Progress

__all__ = [
    "Archived",
    "Copied",
    "Copier",
    "CopyFailed",
    "Facts",
    "Missing",
    "Options",
    "Place",
    "Progress",
    "SourceChanged",
    "Unfit",
    "look",
]
