"""Judges the settings: what they name, what they leave out, and which routes they bind to queues."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orca_daemon.app.checkup.findings import Finding, StartAction, advice, ok, wrong
from orca_daemon.db.address import DEPENDENCY
from orca_daemon.engine.route import Route, index
from orca_daemon.queues import internal_report, recovery, routes
from orca_daemon.queues.services import Services
from orca_daemon.settings import Settings, shown
from orca_daemon.settings.buckets import CopyRules

_ANY_BUCKET = "a message may name any bucket that this role may use"


def handlers(settings: Settings) -> Mapping[str, str]:
    """Each queue that is on, and the name of its route."""
    return {name: queue.route or name for name, queue in settings.bound.items()}


def bound_routes(services: Services) -> Mapping[str, Route[Any]]:
    """Each queue that is on, and its route.

    Raises:
        RouteError: a queue names an unknown route.
    """
    return index(routes(services), handlers(services.settings))


def judge_settings(settings: Settings) -> Iterator[Finding]:
    """Findings about the settings alone."""
    yield ok("settings", f"{len(settings.bound)} queues: {', '.join(settings.bound)}")
    for each in settings.corrections:
        given = f"is {each.given!r}" if each.given else "is not set"
        text = f"{each.variable} {given}: {each.setting} is {each.used} ({each.reason})"
        yield advice("settings", text, "set it so", "start.setting_corrected", asdict(each))
    engine = settings.engine
    if engine.wait + 2 > engine.drain_seconds:
        yield advice(
            "settings",
            f"a long poll ({engine.wait:g} s) may outlast the drain ({engine.drain_seconds:g} s)",
            "make engine.drain_seconds longer",
        )
    yield from _judge_bucket_rules(settings)
    yield from _judge_work_dir(settings)


def judge_routes(settings: Settings, by_queue: Mapping[str, Route[Any]]) -> Iterator[Finding]:
    """Findings about what the routes of the queues need: a database, if a route reads or writes one."""
    needing = ", ".join(needing_postgres(by_queue))
    if needing and not settings.database.configured:
        yield wrong(
            "database",
            f"{needing} needs a database and none is configured",
            f"set {shown('database.url')}, {shown('database.secret_arn')} or {shown('database.host')}",
            StartAction.REFUSE,
        )


def needing_postgres(by_queue: Mapping[str, Route[Any]]) -> list[str]:
    """The queues whose route needs Postgres."""
    return sorted(name for name, route in by_queue.items() if DEPENDENCY in route.needs)


def _judge_bucket_rules(settings: Settings) -> Iterator[Finding]:
    """Advice for each section whose unset settings let a message name any bucket."""
    if settings.aws.embedded:
        return
    routes_on = handlers(settings).values()
    rules = CopyRules.of(settings).unset if recovery.NAME in routes_on else []
    sources = internal_report.NAME in routes_on and settings.reconcile.sources is None
    for section, unset in (("copies", rules), ("reconcile", ["reconcile.sources"] if sources else [])):
        if unset:
            yield advice(
                "settings",
                f"{_ANY_BUCKET}: {' and '.join(unset)} not set",
                "name the archive's buckets and the destinations there",
                f"{section}.any_bucket",
                {"unset": unset},
            )


def _judge_work_dir(settings: Settings) -> Iterator[Finding]:
    if internal_report.NAME not in handlers(settings).values():
        return
    place: Path | str = settings.reconcile.work_dir or "the system's temporary directory"
    try:
        # `dir=None` raises too, if no temporary directory of the system can be written.
        with tempfile.TemporaryFile(dir=settings.reconcile.work_dir):
            return
    except OSError as error:
        text = f"{place} cannot be written: {error.strerror}"
        yield wrong("work directory", text, "set reconcile.work_dir")
