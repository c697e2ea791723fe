"""The connections and settings that handlers use: everything that reaches outside the process."""

from dataclasses import dataclass, field

from orca_daemon.aws.clients import Clients
from orca_daemon.db.database import Database
from orca_daemon.ops.metrics import Metrics
from orca_daemon.ops.work_in_progress import WorkInProgress
from orca_daemon.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What routes are built from.  `database` is None if no database is configured."""

    settings: Settings
    clients: Clients
    database: Database | None
    metrics: Metrics
    work: WorkInProgress = field(default_factory=WorkInProgress)
