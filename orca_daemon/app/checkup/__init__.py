"""Looks at everything that the daemon will need, without changing anything."""

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from orca_daemon.app.bindings import handlers, open_to_any_bucket
from orca_daemon.app.checkup import buckets, database, queues
from orca_daemon.app.checkup.findings import Finding, Grade, advice, ok, remedy, works, wrong
from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.clients import connect
from orca_daemon.aws.errors import reason_of
from orca_daemon.aws.secret_reader import SecretReader
from orca_daemon.db.database import Database
from orca_daemon.settings import Settings, SettingsError

__all__ = ["Finding", "Grade", "findings", "works"]
WITHOUT_DATABASE = frozenset({"recovery"})
"""Routes that can do without, in the disaster-recovery mode."""


async def findings(settings: Settings, extra_buckets: tuple[str, ...] = ()) -> list[Finding]:
    """Look at the settings, AWS, the queues, the database and the buckets, in this order."""
    found = list(judge_settings(settings))
    async with AsyncExitStack() as stack:
        try:
            clients = await stack.enter_async_context(connect(settings))
        except SettingsError as error:
            return [*found, wrong("credentials", str(error))]
        found += await _identity(clients.sts)
        found += await queues.findings(settings, clients)
        if settings.database.configured:
            opened = Database(settings.database, SecretReader(clients))
            stack.callback(opened.close)
            found += await database.findings(opened)
        found += await buckets.findings(settings, clients.s3, extra_buckets)
    return found


def judge_settings(settings: Settings) -> list[Finding]:
    """What there is to say about the settings themselves."""
    found = [ok("settings", f"{len(settings.bound)} queues: {', '.join(settings.bound)}")]
    found += [
        advice(
            "settings", f"{each.variable} is {each.given!r}: {each.used} is used ({each.reason})", "set it so"
        )
        for each in settings.corrections
    ]
    engine = settings.engine
    if engine.wait + 2 > engine.drain_seconds:
        found.append(
            advice(
                "settings",
                f"a long poll ({engine.wait:g} s) may outlast the drain ({engine.drain_seconds:g} s)",
                "make engine.drain_seconds longer",
            )
        )
    routes = set(handlers(settings).values())
    routing = settings.recovery.unknown_keys == "route"
    needing = routes - (WITHOUT_DATABASE if routing else set())
    if needing and not settings.database.configured:
        found.append(
            wrong(
                "database", f"{', '.join(sorted(needing))} needs one, none is configured", "set DATABASE_URL"
            )
        )
    return [*found, *_buckets(settings), *_work_dir(settings)]


def _buckets(settings: Settings) -> list[Finding]:
    if not (unset := open_to_any_bucket(settings)):
        return []
    names = " and ".join(unset)
    text = f"a message may name any bucket that this role may use: {names} not set"
    return [advice("settings", text, "name the archive's buckets and the destinations there")]


def _work_dir(settings: Settings) -> list[Finding]:
    if "internal_report" not in handlers(settings).values():
        return []
    place: Path | str = settings.reconcile.work_dir or "the system's temporary directory"
    try:
        # Looking for the system's own raises where none of its places can be written.
        with tempfile.TemporaryFile(dir=settings.reconcile.work_dir):
            return []
    except OSError as error:
        return [
            wrong("work directory", f"{place} cannot be written: {error.strerror}", "set reconcile.work_dir")
        ]


async def _identity(sts: Any) -> list[Finding]:
    try:
        caller = await sts.get_caller_identity()
    except CALL_ERRORS as error:
        return [wrong("credentials", f"AWS does not know us: {reason_of(error)}", remedy(error))]
    return [ok("credentials", str(caller.get("Arn", "accepted")))]
