"""What handlers may use: everything that reaches outside the process."""

from dataclasses import dataclass
from http import HTTPStatus

from botocore.exceptions import BotoCoreError, ClientError

from orca_daemon.aws.clients import Clients
from orca_daemon.aws.s3copy.errors import EXPIRED, code_of, status_of
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
        except ClientError as error:
            if status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR or code_of(error) in EXPIRED:
                raise DependencyDown("s3", code_of(error)) from error
        except (TimeoutError, BotoCoreError, OSError) as error:
            raise DependencyDown("s3", type(error).__name__) from error
