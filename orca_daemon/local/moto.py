"""Starts moto, which is S3, Secrets Manager, SSM and STS on loopback, in a process of its own."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from orca_daemon.local import NotStartedError
from orca_daemon.local.endpoint import Endpoint

REGION: Final = "us-west-2"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": REGION}
"""Credentials of the embedded endpoints as environment variables; they are valid nowhere else."""


class Moto(Endpoint):
    """Moto's server.

    Args:
        state: file that objects and secrets are read from and saved to; None saves nothing.
        port: the port if it is free, else any other; 0 for any.
        restore_seconds: duration of a restore from an archive.

    Raises:
        NotStartedError: moto is not installed.
    """

    def __init__(self, state: Path | None = None, *, port: int = 0, restore_seconds: float = 0.0) -> None:
        if missing := [name for name in ("moto", "flask", "flask_cors") if find_spec(name) is None]:
            raise NotStartedError(
                f"missing: {', '.join(missing)}; "
                "install the extra 'local' (in a checkout: pip install '.[local]')"
            )
        state_file = (str(state),) if state else ()
        arguments = (str(port), str(restore_seconds), *state_file)
        super().__init__("orca_daemon.local.moto_server", arguments, CREDENTIALS)
