"""Checks everything that the daemon will need, without changing anything.

The start judges by the same functions what it reads anyway: settings, routes, queues, schema and role.  Only
`check` tries more: STS, dead-letter queues, deletes with a dummy receipt handle, the status queue of another
process, poolers and TLS, uploads to buckets.  Each would cost the start requests, or permissions that the
daemon does not need otherwise.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

from orca_daemon.app.checkup import buckets, database, queues
from orca_daemon.app.checkup.findings import Finding, Grade, StartAction, ok, remedy, works, wrong
from orca_daemon.app.checkup.settings import (
    bound_routes,
    handlers,
    judge_routes,
    judge_settings,
    needing_postgres,
)
from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.clients import connect
from orca_daemon.aws.errors import reason_of
from orca_daemon.aws.secret_reader import SecretReader
from orca_daemon.db.database import Database
from orca_daemon.engine.errors import RouteError
from orca_daemon.ops.metrics import Metrics
from orca_daemon.queues.services import Services
from orca_daemon.settings import Settings, SettingsError

__all__ = ["Finding", "Grade", "StartAction", "findings", "judge_settings", "works"]


async def findings(settings: Settings, extra_buckets: tuple[str, ...] = ()) -> list[Finding]:
    """Check the settings, AWS, the queues, the database and the buckets, in this order."""
    results = list(judge_settings(settings))
    async with AsyncExitStack() as stack:
        try:
            clients = await stack.enter_async_context(connect(settings))
        except SettingsError as error:
            return [*results, wrong("credentials", str(error), at_start=StartAction.REFUSE)]
        opened = None
        if settings.database.configured:
            opened = Database(settings.database, SecretReader(clients))
            stack.callback(opened.close)
        services = Services(
            settings=settings, clients=clients, database=opened, metrics=Metrics(handlers(settings))
        )
        results += [each async for each in _outside(services)]
        results += await buckets.findings(settings, clients.s3, extra_buckets)
    return results


async def _outside(services: Services) -> AsyncIterator[Finding]:
    """What AWS and the database answer."""
    settings, clients = services.settings, services.clients
    yield await _identity(clients.sts)
    for finding in await queues.findings(settings, clients):
        yield finding
    try:
        by_queue = bound_routes(services)
    except RouteError as error:
        yield wrong("settings", str(error), at_start=StartAction.REFUSE)
        return
    for finding in judge_routes(settings, by_queue):
        yield finding
    if services.database is None:
        return
    if not needing_postgres(by_queue):
        yield ok(database.SUBJECT, "not checked: no queue that is on needs it")
        return
    for finding in await database.findings(services.database, by_queue):
        yield finding


async def _identity(sts: Any) -> Finding:
    try:
        caller = await sts.get_caller_identity()
    except CALL_ERRORS as error:
        return wrong("credentials", f"AWS does not accept them: {reason_of(error)}", remedy(error))
    return ok("credentials", str(caller.get("Arn", "accepted")))
