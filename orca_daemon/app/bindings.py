"""Pairs the queues of the settings with their routes, after reading and judging queues and database.

`orca-daemon check` makes the same judgement (`app/checkup`) and prints it.  The start acts on it: it refuses,
waits or logs a warning, as each finding says.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog

from orca_daemon.app.checkup import database, queues
from orca_daemon.app.checkup.findings import Finding, Grade, StartAction
from orca_daemon.app.checkup.settings import bound_routes, judge_routes, judge_settings, needing_postgres
from orca_daemon.app.exits import StartConfigurationError
from orca_daemon.app.patience import patiently
from orca_daemon.aws.sqs import SqsSource
from orca_daemon.db import role, schema
from orca_daemon.db.address import DEPENDENCY
from orca_daemon.db.database import Database
from orca_daemon.engine.engine import Binding
from orca_daemon.engine.errors import DependencyDown
from orca_daemon.engine.queue_context import ConsumerOptions
from orca_daemon.engine.route import Route
from orca_daemon.ops.health import StartWait
from orca_daemon.queues.services import Services
from orca_daemon.settings import QueueSection, Settings

_log: Any = structlog.get_logger()


async def bind(services: Services, report: Callable[[StartWait], None] = lambda _: None) -> list[Binding]:
    """Read every queue and the database, judge them, and pair queues with routes.

    `report` gets what is waited for.

    Raises:
        StartConfigurationError: a queue or the database is missing, forbidden, or not as it must be.
        RouteError: a queue names an unknown route.
    """
    settings = services.settings
    by_queue = bound_routes(services)
    _apply(judge_settings(settings))
    _apply(judge_routes(settings, by_queue))
    _apply(queues.judge_urls(settings, services.clients.control))
    if services.database is not None and needing_postgres(by_queue):
        await _use_database(services.database, by_queue, report)
    return [
        await _bind_queue(services, name, queue, by_queue[name], report)
        for name, queue in settings.bound.items()
    ]


def probes(services: Services, bound: Sequence[Binding]) -> dict[str, Callable[[], Awaitable[None]]]:
    """The probe of each dependency that a route needs and that is configured.

    S3 has no probe: it fails by bucket and by kind of request, and one request proves nothing about another.
    """
    needed = {name for binding in bound for name in binding.route.needs}
    if services.database is None or DEPENDENCY not in needed:
        return {}
    return {DEPENDENCY: services.database.probe}


async def _bind_queue(
    services: Services,
    name: str,
    queue: QueueSection,
    route: Route[Any],
    report: Callable[[StartWait], None],
) -> Binding:
    url = queue.url or ""
    source = SqsSource(services.clients.poll, services.clients.control, url)
    facts = await patiently(
        queues.subject(name),
        partial(source.describe, warm=True),
        partial(queues.judge_failure, name, url),
        report,
    )
    _apply(queues.judge_facts(name, route.name, facts))
    options = _options(services.settings, queue, route)
    return Binding(name=name, route=route, source=source, facts=facts, options=options)


async def _use_database(
    postgres: Database, by_queue: Mapping[str, Route[Any]], report: Callable[[StartWait], None]
) -> None:
    """Read and judge the schema and the role, and set the tables to which the probe writes."""

    async def read() -> tuple[schema.Schema, role.Role]:
        tables = await postgres.transact(schema.read)
        current_role = await postgres.transact(role.read)
        for finding in database.judge_role(current_role, by_queue):
            if finding.at_start is StartAction.WAIT:
                # The address may lead to another server by now; an idle connection would not notice.
                postgres.reconnect()
                raise DependencyDown(DEPENDENCY, finding.text)
        return tables, current_role

    tables, current_role = await patiently("the database", read, database.judge_failure, report)
    _apply(database.judge_schema(tables))
    _apply(database.judge_own_tables(tables, by_queue))
    _apply(database.judge_role(current_role, by_queue))
    postgres.writes(current_role.writable)


def _apply(findings: Iterable[Finding]) -> None:
    """Refuse the start by the first finding that asks for it; log each other one."""
    for finding in findings:
        if finding.at_start is StartAction.REFUSE:
            raise StartConfigurationError(finding.sentence)
        if finding.grade is not Grade.OK:
            facts = finding.facts or {"subject": finding.subject}
            # Advice without an event of its own is not a warning: alarms count warnings, and all works.
            log = _log.warning if finding.warns else _log.info
            log(finding.event, **{"reason": finding.text, "do": finding.do, **facts})


def _options(settings: Settings, queue: QueueSection, route: Route[Any]) -> ConsumerOptions:
    engine = settings.engine
    return ConsumerOptions(
        lease=engine.lease,
        wait=engine.wait,
        held=engine.held,
        held_bytes=engine.held_bytes // max(len(settings.bound), 1),
        linger=engine.settle_linger,
        pollers=queue.pollers,
        concurrency=queue.concurrency or route.concurrency,
        max_attempts=queue.max_attempts or route.max_attempts,
    )
