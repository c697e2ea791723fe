"""The child's task, made of settings and of what is to be compared."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.dialects.postgresql import psycopg2

from orca_daemon.db.address import DatabaseAddress
from orca_daemon.db.connect import parameters
from orca_daemon.db.session import stated
from orca_daemon.db.sql import load
from orca_daemon.reconcile.inventory import ca_bundle
from orca_daemon.reconcile.protocol import Statement, Task
from orca_daemon.settings import Settings

_SQL = load(__package__, "source.sql")
_DIALECT = psycopg2.dialect()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A listing of a bucket, to be compared with the catalog."""

    bucket: str
    created: datetime
    """When the listing was made."""
    form: str = "stored"
    columns: tuple[str, ...] = ()
    stored_job: int | None = None
    """The job that the listing lies under, where it lies in Postgres."""


def task(settings: Settings, address: DatabaseAddress, what: Comparison, folder: Path, lock: int) -> Task:
    """The task of a child that may write to `folder` and holds the advisory lock `lock` meanwhile."""
    ours, place = settings.reconcile, settings.database
    window = timedelta(seconds=ours.race_window)
    stored = None
    if what.stored_job is not None:
        stored = _statement("stored_listing", bucket=what.bucket, job=what.stored_job)
    return Task(
        bucket=what.bucket,
        lock=lock,
        form=what.form,
        columns=list(what.columns),
        catalog=_statement(
            "catalog",
            bucket=what.bucket,
            recent_after=(what.created - window).isoformat() if window else "infinity",
        ),
        stored=stored,
        allow_empty=ours.allow_empty,
        folder=str(folder),
        memory_mib=ours.memory_mib,
        threads=ours.threads,
        listing_gib=ours.listing_gib,
        ca_bundle=ca_bundle(),
        database=parameters(address, place.application_name, place.connect_timeout),
        session=stated(statement=0, lock=place.lock_timeout, idle=0, whole=True),
    )


def _statement(name: str, **values: Any) -> Statement:
    return Statement(text=str(_SQL[name].compile(dialect=_DIALECT)), values=values)
