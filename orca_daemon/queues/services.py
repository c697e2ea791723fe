"""What handlers may use: everything that reaches outside the process."""

from dataclasses import dataclass

from orca_daemon.aws.clients import Clients
from orca_daemon.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The effects that routes are built on.  `database` is None where none is configured."""

    settings: Settings
    clients: Clients
