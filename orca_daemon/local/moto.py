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
        day_seconds: seconds of a day for which a restored copy is kept.
        sqs: URL of the SQS server that events are sent to; empty: none are sent.

    Raises:
        NotStartedError: moto is not installed.
    """

    def __init__(
        self,
        state: Path | None = None,
        *,
        port: int = 0,
        restore_seconds: float = 0.0,
        day_seconds: float = 86_400.0,
        sqs: str = "",
    ) -> None:
        if missing := [name for name in ("moto", "flask", "flask_cors") if find_spec(name) is None]:
            raise NotStartedError(
                f"missing: {', '.join(missing)}; "
                "install the extra 'local' (in a checkout: pip install '.[local]')"
            )
        arguments = (str(port), str(restore_seconds), str(state or ""), str(day_seconds), sqs)
        super().__init__("orca_daemon.local.moto_server", arguments, CREDENTIALS)
