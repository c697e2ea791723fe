"""What every page, action and API call uses: settings, the database, AWS clients."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from orca_daemon.aws.clients import Clients
from orca_daemon.console.acting.runs import Runs
from orca_daemon.console.metrics import ConsoleMetrics
from orca_daemon.console.reader import Reader
from orca_daemon.console.security import Guard
from orca_daemon.db.database import Database
from orca_daemon.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleContext:
    """The parts of one console process."""

    settings: Settings
    clients: Clients
    """SQS and S3; pages use `clients.control` and `clients.s3`."""
    reader: Reader
    """For pages and the API: read-only transactions."""
    database: Database
    """For actions, which write."""
    guard: Guard
    """Tokens, sessions and limits; for the layers and the log-in."""
    runs: Runs
    """The actions that are under way."""
    metrics: ConsoleMetrics


def _of(request: Request) -> ConsoleContext:
    context: ConsoleContext = request.app.state.context
    return context


Context = Annotated[ConsoleContext, Depends(_of)]
"""The parameter of a route: `async def page(request: Request, context: Context)`."""
