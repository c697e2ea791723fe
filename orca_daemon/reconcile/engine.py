"""Opens DuckDB with the limits of a task."""

from pathlib import Path

import duckdb

from orca_daemon.reconcile.protocol import Task

_OUTSIDE_DUCKDB, _OUTSIDE_IF_TWICE = 224, 384
"""MiB of the child outside DuckDB's limit: Python, Arrow's batches, and memory that DuckDB does not count,
which is more if a listing is read twice.  Measured with 10, 30 and 100 million objects."""
LEAST, _LEAST_IF_TWICE = 128, 256
"""MiB that DuckDB needs at least."""
BESIDE_CATALOG = 256
"""MiB of DuckDB while it reads a listing beside a catalog in memory."""


def open_engine(task: Task) -> duckdb.DuckDBPyConnection:
    """DuckDB with the task's limits; it spills to the task's folder."""
    engine = duckdb.connect(
        config={
            "memory_limit": f"{limit_mib(task)}MiB",
            "threads": task.threads,
            "temp_directory": str(Path(task.folder) / "spill"),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            # Returns freed memory to the system early: with the default of 128 MiB, the process would exceed
            # our setting.
            "allocator_flush_threshold": "16MiB",
        }
    )
    # `query_progress` needs the progress bar; its output is off.
    engine.execute("SET enable_progress_bar = true")
    engine.execute("SET enable_progress_bar_print = false")
    # The hash table is made of the catalog, which stands on the right of the join: its rows are short.
    # DuckDB would choose the side that it thinks has fewer rows, and it cannot know the catalog's.
    engine.execute("SET disabled_optimizers = 'build_side_probe_side'")
    return engine


def limit_mib(task: Task, *, twice: bool = False) -> int:
    """DuckDB's limit; `twice` if a listing is read twice."""
    if twice:
        return max(task.memory_mib - _OUTSIDE_IF_TWICE, _LEAST_IF_TWICE)
    return max(task.memory_mib - _OUTSIDE_DUCKDB, LEAST)


def limit(engine: duckdb.DuckDBPyConnection, mib: int) -> None:
    """Change DuckDB's limit of memory."""
    engine.execute(f"SET memory_limit = '{mib}MiB'")
