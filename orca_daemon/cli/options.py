"""Options that several commands have, and what they take."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from orca_daemon.wire.status import RecoveryStatus

Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="Settings file (TOML).", envvar="ORCA_CONFIG")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class StatusName(Enum):
    """The status of a file or a job, by name."""

    PENDING = "pending"
    STAGED = "staged"
    FAILED = "failed"
    SUCCESS = "success"

    @property
    def status(self) -> RecoveryStatus:
        """The status itself."""
        return RecoveryStatus[self.name]
