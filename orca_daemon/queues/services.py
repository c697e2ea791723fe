"""What handlers may use: everything that reaches outside the process."""

from dataclasses import dataclass

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.clients import Clients
from orca_daemon.aws.errors import meaning_of, reason_of
from orca_daemon.db.database import Database
from orca_daemon.engine.errors import DependencyDown
from orca_daemon.ops.metrics import Metrics
from orca_daemon.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The effects that routes are built on.  `database` is None where none is configured."""

    settings: Settings
    clients: Clients
    database: Database | None
    metrics: Metrics

    async def probe_s3(self) -> None:
        """Ask S3 for anything.  A refusal is an answer, unless the credentials have expired.

        Raises:
            DependencyDown: there was no such answer.
        """
        try:
            await self.clients.s3.list_buckets(MaxBuckets=1)
        except CALL_ERRORS as error:
            if meaning_of(error).passes:
                raise DependencyDown("s3", reason_of(error)) from error
