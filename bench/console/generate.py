"""Fills a database with as much as the console must show quickly: the sizes are those of a busy archive."""

from contextlib import closing

import psycopg2
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from orca_daemon.db.sql import load

JOBS = 1_000_000
CATALOG_FILES = 10_000_000
COMPARISONS = 100
DEAD_LETTERS = 10_000
_GRANULES = 10_000
"""Granules of a large job."""
_DIFFERENCES = 500_000
"""Rows of the largest report."""
_TABLES = (
    "providers", "collections", "granules", "files", "recovery_job", "recovery_file", "reconcile_job",
    "reconcile_phantom_report", "reconcile_orphan_report", "reconcile_catalog_mismatch_report",
    "orca_daemon_dead_letter", "orca_daemon_action",
)  # fmt: skip


def fill(url: str, scale: float = 1.0) -> None:
    """Insert rows of every kind; `scale` is 1 for the full sizes.  Takes some six minutes for these.

    Args:
        url: of a database with the current schema, for its owner.
        scale: fraction of the full sizes; comparisons and dead letters are always as many.
    """
    statements = load(__package__, "rows.sql")
    sizes = {
        "jobs": max(200, int(JOBS * scale)),
        "catalog_files": max(400, int(CATALOG_FILES * scale)),
        "granules": max(50, int(_GRANULES * scale)),
        "differences": max(500, int(_DIFFERENCES * scale)),
        "comparisons": COMPARISONS,
        "dead_letters": DEAD_LETTERS,
    }
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg2"))
    for statement in statements.values():
        with engine.begin() as connection:
            connection.execute(statement, sizes)
    engine.dispose()
    # Estimates and plans depend on statistics, which autovacuum would have made in a database that lives.
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for table in _TABLES:
                cursor.execute(f"VACUUM ANALYZE orca.{table}")
