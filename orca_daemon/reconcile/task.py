"""The child's task, made from the settings and a comparison."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.dialects.postgresql import psycopg2

from orca_daemon.db.address import DatabaseAddress
from orca_daemon.db.connect import parameters
from orca_daemon.db.session import session_parameters
from orca_daemon.db.sql import load
from orca_daemon.reconcile.inventory import ca_bundle
from orca_daemon.reconcile.protocol import Form, SparkTask, Statement, Task
from orca_daemon.settings import Settings

_SQL = load(__package__, "source.sql")
_DIALECT = psycopg2.dialect()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A listing of a bucket, to be compared with the catalog."""

    bucket: str
    created: datetime
    """When the listing was made."""
    form: Form = "stored"
    columns: tuple[str, ...] = ()
    stored_job: int | None = None
    """The job of a listing that is stored in Postgres; None for data files in S3."""


def task(
    settings: Settings,
    address: DatabaseAddress,
    comparison: Comparison,
    folder: Path,
    lock: int,
    spark: SparkTask | None = None,
) -> Task:
    """The task of a child that writes to `folder` and holds the advisory lock `lock`."""
    options, database, bucket = settings.reconcile, settings.database, comparison.bucket
    window = timedelta(seconds=options.race_window)
    stored = None
    if comparison.stored_job is not None:
        stored = _statement("stored_listing", bucket=bucket, job=comparison.stored_job)
    return Task(
        bucket=bucket,
        lock=lock,
        form=comparison.form,
        columns=list(comparison.columns),
        recent_after=(comparison.created - window).isoformat() if window else "infinity",
        readers=options.readers,
        stored=stored,
        spark=spark,
        allow_empty=options.allow_empty,
        folder=str(folder),
        memory_mib=options.memory_mib,
        threads=options.threads,
        listing_gib=options.listing_gib,
        ca_bundle=ca_bundle(),
        database=parameters(address, database.application_name, database.connect_timeout),
        session=session_parameters(statement=0, lock=database.lock_timeout, idle=0, all_rows=True),
    )


def _statement(name: str, **values: Any) -> Statement:
    return Statement(text=str(_SQL[name].compile(dialect=_DIALECT)), values=values)
