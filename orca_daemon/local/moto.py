"""S3, Secrets Manager, SSM and STS on loopback: moto, in a process of its own."""

from pathlib import Path
from typing import Final

from orca_daemon.local.endpoint import Endpoint

REGION: Final = "us-west-2"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": REGION}
"""What opens the embedded endpoints, as environment variables; it opens nothing else."""


class Moto(Endpoint):
    """Moto's server.

    Args:
        state: file that its objects and secrets are read from at start and written to at stop; None
            forgets them.
        port: 0 takes a free one.
        restore_seconds: how long a restore from an archive takes; 0 is at once.
    """

    def __init__(self, state: Path | None = None, *, port: int = 0, restore_seconds: float = 0.0) -> None:
        kept = (str(state),) if state else ()
        arguments = (str(port), str(restore_seconds), *kept)
        super().__init__("orca_daemon.local.moto_server", arguments, CREDENTIALS)
