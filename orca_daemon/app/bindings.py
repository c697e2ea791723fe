"""Queues of the settings, as they are found at AWS, paired with their routes."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog

from orca_daemon.app.exits import StartConfigurationError
from orca_daemon.app.patience import patiently
from orca_daemon.aws.queue_location import other_host, other_region
from orca_daemon.aws.sqs import SqsSource
from orca_daemon.db import role, schema
from orca_daemon.db.address import AddressError
from orca_daemon.engine.engine import Binding
from orca_daemon.engine.queue_context import ConsumerOptions
from orca_daemon.engine.route import Route, index
from orca_daemon.engine.source import QueueFacts
from orca_daemon.queues import internal_report, recovery, routes
from orca_daemon.queues.services import Services
from orca_daemon.settings import QueueSection, Settings
from orca_daemon.settings.buckets import CopyRules

ENOUGH_RECEIVES = 5
"""SQS may count a delivery that nobody got, and a stop costs one too."""
_NO_DATABASE = re.compile(r'database "[^"]*" does not exist')
_log: Any = structlog.get_logger()


def handlers(settings: Settings) -> Mapping[str, str]:
    """Each queue that is on, and the name of its route."""
    return {name: queue.route or name for name, queue in settings.bound.items()}


def open_to_any_bucket(settings: Settings) -> list[str]:
    """The settings without which a message of a queue that is on may name any bucket."""
    routes_on = handlers(settings).values()
    unset = CopyRules.of(settings).unset if recovery.NAME in routes_on else []
    if internal_report.NAME in routes_on and settings.reconcile.sources is None:
        unset.append("reconcile.sources")
    return unset


async def bind(services: Services) -> list[Binding]:
    """Look at every queue and at the database, and pair queues with routes.

    Raises:
        StartConfigurationError: a queue or the database is missing, forbidden, or not as it must be.
        RouteError: a queue names a route that does not exist.
    """
    settings = services.settings
    by_queue = index(routes(services), handlers(settings))
    for section in ("copies", "reconcile"):
        if unset := [name for name in open_to_any_bucket(settings) if name.startswith(section)]:
            effect = "a message may name any bucket that this role may use"
            _log.warning(f"{section}.any_bucket", unset=unset, effect=effect)
    _check_urls(services)
    await _check_database(services, by_queue)
    made = []
    for name, queue in settings.bound.items():
        source = SqsSource(services.clients.poll, services.clients.control, queue.url or "")
        facts = await patiently(
            f"queue {name}", partial(source.describe, warm=True), _queue_problem(name, queue)
        )
        _advise(name, facts)
        made.append(
            Binding(
                name=name,
                route=by_queue[name],
                source=source,
                facts=facts,
                options=_options(settings, queue, by_queue[name]),
            )
        )
    return made


def probes(services: Services, bound: Sequence[Binding]) -> dict[str, Callable[[], Awaitable[None]]]:
    """How to ask whether a dependency is up, for those that some route needs and that are configured.

    S3 is not asked: it fails by bucket and by kind of request, and one request proves nothing of another.
    """
    needed = {name for binding in bound for name in binding.route.needs}
    if services.database is None or "postgres" not in needed:
        return {}
    return {"postgres": services.database.probe}


async def _check_database(services: Services, by_queue: Mapping[str, Route[Any]]) -> None:
    needing = sorted(name for name, route in by_queue.items() if "postgres" in route.needs)
    if not needing:
        return
    if services.database is None:
        raise StartConfigurationError(
            f"{', '.join(needing)} needs a database and none is configured: set ORCA_DATABASE__URL, "
            "ORCA_DATABASE__SECRET_ARN or ORCA_DATABASE__HOST"
        )
    database = services.database
    found = await patiently("the database", partial(database.transact, schema.read), _database_problem)
    match found.verdict:
        case schema.SchemaVerdict.OK:
            pass
        case schema.SchemaVerdict.SLOW:
            _log.warning(
                "database.indexes_missing", missing=found.missing_indexes, do="orca-daemon db upgrade"
            )
        case verdict:
            raise StartConfigurationError(
                f"the database cannot be used: {verdict.value}; run 'orca-daemon db upgrade'"
            )
    ours = await patiently("the database", partial(database.transact, role.read), _database_problem)
    _judge_role(ours)
    database.writes(ours.writable)


def _check_urls(services: Services) -> None:
    """Refuse queues of another region, and say where the host of a URL counts for nothing."""
    urls = {f"queue {name}": queue.url or "" for name, queue in services.settings.bound.items()}
    if posted := services.settings.status_url:
        urls["recovery.status_url"] = posted
    for what, url in urls.items():
        if sentence := other_region(url, services.clients.control):
            raise StartConfigurationError(f"{what}: {sentence}")
        if sentence := other_host(url, services.clients.control):
            _log.warning("queue.url_host_unused", queue=what.removeprefix("queue "), reason=sentence)


def _queue_problem(name: str, queue: QueueSection) -> Callable[[Exception], str | None]:
    def problem(error: Exception) -> str | None:
        match getattr(error, "kind", ""):
            case "missing":
                where = f"ORCA_QUEUES__{name.upper()}__URL"
                return f"queue {name}: {queue.url} does not exist; create it, or correct {where}"
            case "denied":
                return f"queue {name}: {queue.url}: {error}; allow this role to use it"
            case _:
                return None

    return problem


def _database_problem(error: Exception) -> str | None:
    if isinstance(error, AddressError):
        return f"the database: {error}"
    # A connection that is refused has no SQLSTATE: the text is all there is.
    if missing := _NO_DATABASE.search(str(error)):
        return (
            f"the {missing[0]} on this server: create it and run 'orca-daemon db upgrade', "
            "or correct ORCA_DATABASE__URL (or the secret, or the parts)"
        )
    return None


def _judge_role(ours: role.Role) -> None:
    # It would fail message after message, and dead-letter every one.
    if ours.powerless:
        raise StartConfigurationError(
            f"the database cannot be used: {ours.user} may not write the tables of the schema orca; "
            f"as their owner: {ours.remedy}"
        )
    if ours.refused:
        _log.warning("database.tables_refused", user=ours.user, tables=ours.refused, do=ours.remedy)


def _advise(name: str, facts: QueueFacts) -> None:
    if facts.dead_letter_takes_less:
        _log.warning(
            "queue.dead_letter_queue_takes_less",
            queue=name,
            largest=facts.largest,
            dead_letter_largest=facts.dead_letter_largest,
            do="raise MaximumMessageSize of the dead-letter queue to that of the queue",
        )
    if facts.dead_letter is None:
        _log.warning("queue.no_dead_letter_queue", queue=name, effect="messages that fail stay on the queue")
    elif facts.max_receives is not None and facts.max_receives < ENOUGH_RECEIVES:
        _log.warning(
            "queue.few_receives", queue=name, max_receive_count=facts.max_receives, advice="5 or more"
        )


def _options(settings: Settings, queue: QueueSection, route: Route[Any]) -> ConsumerOptions:
    engine = settings.engine
    return ConsumerOptions(
        lease=engine.lease,
        wait=engine.wait,
        held=engine.held,
        linger=engine.settle_linger,
        pollers=queue.pollers,
        concurrency=queue.concurrency or route.concurrency,
        max_attempts=queue.max_attempts or route.max_attempts,
    )
