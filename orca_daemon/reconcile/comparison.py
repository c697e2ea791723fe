"""Compares a listing with a catalog that is being read; runs in the child."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

import duckdb

from orca_daemon.reconcile import compare
from orca_daemon.reconcile.catalog import Catalog
from orca_daemon.reconcile.catalog_copy import CopiedHashes, CopiedRows
from orca_daemon.reconcile.engine import open_engine
from orca_daemon.reconcile.hashing import Hashing
from orca_daemon.reconcile.progress import REPORT_EVERY, progress_of_files, traced
from orca_daemon.reconcile.protocol import (
    Compared,
    ComparisonFailure,
    Remote,
    Send,
    Sign,
    Staged,
    StageProgress,
    Task,
    differences,
)
from orca_daemon.reconcile.reasons import failure_of
from orca_daemon.reconcile.refusal import RepeatedError
from orca_daemon.reconcile.sources import ListingSource, source_of


def compared(
    task: Task,
    copied: CopiedRows | CopiedHashes,
    files: list[Remote],
    send: Send,
    sign: Sign,
    salt: str,
) -> Compared | ComparisonFailure:
    """Fetch the listing, join, and write the differences to a file.

    Args:
        task: the task.
        copied: the catalog; if Postgres hashes it, reading has begun.
        files: the data files.
        send: sends a message to the daemon.
        sign: requests a new URL of a data file.
        salt: see `InDuckDB`.

    Raises:
        RepeatedError: the listing names a key more than once, or two keys have the same hash.
    """
    sources: list[ListingSource] = []
    try:
        return _compared(task, copied, files, send, sign, sources, salt)
    except RepeatedError:
        raise
    except Exception as error:  # noqa: BLE001  every error is sent to the daemon
        return failure_of(error, task.folder, sources[-1].where if sources else None)


def _compared(
    task: Task,
    copied: CopiedRows | CopiedHashes,
    files: list[Remote],
    send: Send,
    sign: Sign,
    sources: list[ListingSource],
    salt: str,
) -> Compared:
    """Do the task; `sources` gets the listing, which locates errors."""
    with open_engine(task) as engine, ExitStack() as stack:
        catalog = stack.enter_context(closing(Catalog(engine, copied, task, salt)))
        with traced("listing", send):
            source = source_of(task, engine, stack, files, progress_of_files(files, send), sign)
        sources.append(source)
        send(Staged())
        catalog.attach()
        streams = [*source.streams, catalog.stream]
        try:
            hashed = catalog.hashing, source.listing.rows
            with traced("comparing", send), _report_per_cent(engine, send, *hashed):
                result = compare.compare(engine, source.listing, catalog, task)
        except Exception:
            # If a stream failed, DuckDB's error is only the consequence: raise the stream's own.
            for error in [*(stream.error for stream in streams), catalog.hashing.error]:
                if error:
                    raise error from None
            raise
        for stream in streams:
            stream.check()
        compare.refuse_empty(result, stored=task.stored is not None, allowed=task.allow_empty)
        compare.write(engine, source.listing, differences(task.folder))
        examples = source.located(compare.odd_examples(engine)) if result.not_compared else ()
        return replace(result, not_compared_examples=tuple(examples))


@contextmanager
def _report_per_cent(
    engine: duckdb.DuckDBPyConnection, send: Send, hashing: Hashing, rows: int
) -> Iterator[None]:
    """Report the part of the listing that was hashed, or DuckDB's own estimate, until the context ends.

    DuckDB cannot know its progress if the listing passes through Python.
    """
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(REPORT_EVERY):
            done = 100 * hashing.listed // rows if hashing.listed and rows else round(engine.query_progress())
            if done > 0:
                send(StageProgress(stage="comparing", done=done, total=100))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
