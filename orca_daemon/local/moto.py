"""S3, Secrets Manager, SSM and STS on loopback: moto, in a process of its own."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from orca_daemon.local import NotStartedError
from orca_daemon.local.endpoint import Endpoint

REGION: Final = "us-west-2"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": REGION}
"""What opens the embedded endpoints, as environment variables; it opens nothing else."""


class Moto(Endpoint):
    """Moto's server.

    Args:
        state: file that its objects and secrets are read from, and kept in; None forgets them.
        port: taken if it is free; 0 is any.
        restore_seconds: how long a restore from an archive takes; 0 is at once.

    Raises:
        NotStartedError: it is not installed.
    """

    def __init__(self, state: Path | None = None, *, port: int = 0, restore_seconds: float = 0.0) -> None:
        if missing := [name for name in ("moto", "flask", "flask_cors") if find_spec(name) is None]:
            raise NotStartedError(
                f"missing: {', '.join(missing)}; install the extra 'local' (pip install 'orca-daemon[local]')"
            )
        kept = (str(state),) if state else ()
        arguments = (str(port), str(restore_seconds), *kept)
        super().__init__("orca_daemon.local.moto_server", arguments, CREDENTIALS)
