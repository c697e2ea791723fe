"""Compares in Spark, for listings that are too large for one machine; runs in the child.

The catalog is staged as Parquet files.  Spark reads listing and stage, runs `compare.sql`, and leaves the
differences in the stage.  If the stage is a directory, the cluster need not reach S3: the data files are
fetched and verified here, and staged too.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa
from pyarrow import parquet

from orca_daemon.reconcile import spark_listing
from orca_daemon.reconcile.catalog_copy import CopiedRows, opened
from orca_daemon.reconcile.compare import counted, odd_examples, refuse_empty, write
from orca_daemon.reconcile.copied_rows import SCHEMA
from orca_daemon.reconcile.engine import open_engine
from orca_daemon.reconcile.joins import STATEMENT
from orca_daemon.reconcile.listing import OTHER_BUCKET, REFUSED, Listing
from orca_daemon.reconcile.protocol import Compared, Remote, Sign, SparkTask, Task, differences
from orca_daemon.reconcile.spool import Spool

LISTING = Listing(source="", stamp="s3_last_update")
"""How DuckDB reads the differences: Spark has formatted the times already."""
_SUFFIXES = {"CSV": ".csv.gz", "Parquet": ".parquet", "ORC": ".orc"}
_PART_ROWS = 500_000
"""Rows of one staged file of the catalog: some 25 MiB."""
_RETRIES = 4
"""Of a call that Spark does not answer; then the message waits, which costs it no attempt."""


class Stage(Protocol):
    """The stage, as the child reaches it: through the daemon, which has the credentials."""

    def put(self, path: Path, name: str) -> None:
        """Move a file to the stage."""
        ...

    def differences(self) -> list[Path]:
        """Fetch the files of differences."""
        ...


class SparkDownError(Exception):
    """Spark does not answer."""


class SparkFailedError(Exception):
    """Spark could not compare; the text names the class of its error, and quotes no values."""


def compared(
    task: Task,
    spark: SparkTask,
    files: list[Remote],
    stage: Stage,
    on_staged: Callable[[], None],
    sign: Sign,
    *reports: Callable[[int], None],
) -> Compared:
    """Do the task, and write the differences to a file.

    Args:
        task: the task.
        spark: where Spark and the stage are.
        files: the data files.
        stage: moves files.
        on_staged: called when the listing is known to exist.
        sign: requests a new URL of a data file.
        reports: called with the bytes of the listing and with the rows of the catalog so far.
    """
    folder, (of_listing, of_catalog) = Path(task.folder), reports
    with opened(task, of_catalog) as copied:
        assert isinstance(copied, CopiedRows)  # noqa: S101  `opened` sees that Spark compares
        stream = copied.stream
        urls = _urls(task, spark, files, stage, Spool.of(task, of_listing, sign))
        on_staged()
        stream.start()
        stage_catalog(stream.rest(), stage, folder)
        stream.check()
        rows = stream.rows
    compare(task, spark, urls, copied.classes)
    with open_engine(task) as engine:
        load_differences(engine, stage.differences())
        result = counted(engine, rows)
        refuse_empty(result, stored=False, allowed=task.allow_empty)
        write(engine, LISTING, differences(folder))
        examples = [problem for _, problem in odd_examples(engine)] if result.not_compared else []
        return replace(result, not_compared_examples=tuple(examples))


def _urls(task: Task, spark: SparkTask, files: Sequence[Remote], stage: Stage, spool: Spool) -> list[str]:
    """URLs of the data files for Spark; if the cluster does not read from S3, they are staged first."""
    if spark.listing:
        return [f"{spark.listing}/{file.key}" for file in files]
    urls = []
    for index, file in enumerate(files):
        name = f"listing/{index:06}{_SUFFIXES[task.form]}"
        stage.put(spool.fetch(index, file), name)
        urls.append(f"{spark.stage}/{name}")
    return urls


def stage_catalog(batches: Iterable[pa.RecordBatch], stage: Stage, folder: Path) -> None:
    """Stage the rows of the catalog, one file after another, so that the disk holds one file at a time."""
    part, writer, rows = 0, None, 0
    path = folder / "part.parquet"
    for batch in batches:
        if writer is None:
            writer = parquet.ParquetWriter(
                path, SCHEMA, compression="zstd", use_dictionary=["storage_class_id"]
            )
        writer.write_batch(batch)
        rows += batch.num_rows
        if rows >= _PART_ROWS:
            writer.close()
            stage.put(path, f"catalog/{part:06}.parquet")
            part, writer, rows = part + 1, None, 0
    if writer is None and not part:
        writer = parquet.ParquetWriter(path, SCHEMA)  # an empty catalog, which has a schema all the same
    if writer is not None:
        writer.close()
        stage.put(path, f"catalog/{part:06}.parquet")


def compare(task: Task, spark: SparkTask, files: Sequence[str], classes: Sequence[tuple[int, str]]) -> None:
    """Run the comparison in Spark; the differences are in the stage afterwards.

    Args:
        task: the task.
        spark: where Spark and the stage are.
        files: URLs of the data files, as Spark reads them.
        classes: ids and names of the storage classes.

    Raises:
        ManifestError: the listing lacks a column.
        SparkDownError: Spark does not answer.
        SparkFailedError: Spark could not compare.
    """
    from pyspark.errors import PySparkException

    try:
        session = _session(spark.remote)
        try:
            _compare(session, task, spark, files, classes)
        finally:
            session.stop()
    except PySparkException as error:
        raise _judged(error) from None
    except Exception as error:
        # The gRPC library is no dependency of ours: its errors are known by their module.
        if type(error).__module__.startswith("grpc"):
            raise _judged(error) from None
        raise


def _session(remote: str) -> Any:
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession

    session = SparkSession.builder.remote(remote).create()
    session.client.set_retry_policies([DefaultPolicy(max_retries=_RETRIES)])
    session.conf.set("spark.sql.session.timeZone", "UTC")
    session.conf.set("spark.sql.ansi.enabled", "true")
    return session


def _compare(
    session: Any, task: Task, spark: SparkTask, files: Sequence[str], classes: Sequence[tuple[int, str]]
) -> None:
    session.read.parquet(f"{spark.stage}/catalog").createOrReplaceTempView("catalog_rows")
    session.sql(spark_listing.catalog_select("catalog_rows", classes)).createOrReplaceTempView("catalog")
    session.sql(_listing(session, task, files)).createOrReplaceTempView("listing")
    session.sql(STATEMENT).write.mode("overwrite").parquet(f"{spark.stage}/differences")


def _listing(session: Any, task: Task, files: Sequence[str]) -> str:
    if not files:
        columns = ("bucket", "key", "size", "last_modified_date", "e_tag", "storage_class")
        session.createDataFrame([], spark_listing.csv_schema(columns)).createOrReplaceTempView("listing_rows")
        return spark_listing.csv_select("listing_rows", task.bucket, columns)
    if task.form == "CSV":
        rows = session.read.csv(
            list(files),
            schema=spark_listing.csv_schema(task.columns),
            quote='"',
            escape='"',
            mode="FAILFAST",
        )
        rows.createOrReplaceTempView("listing_rows")
        return spark_listing.csv_select("listing_rows", task.bucket, task.columns)
    if task.form == "Parquet":
        rows = session.read.option("mergeSchema", "true").parquet(*files)
    else:
        rows = session.read.option("mergeSchema", "true").orc(list(files))
    rows.createOrReplaceTempView("listing_rows")
    types = {str(name).lower(): str(kind) for name, kind in rows.dtypes}
    return spark_listing.typed_select("listing_rows", task.bucket, types)


def _judged(error: Exception) -> Exception:
    text = str(error)
    if REFUSED + OTHER_BUCKET in text:
        return OtherBucketError(OTHER_BUCKET)
    unreachable = ("UNAVAILABLE", "RETRIES_EXCEEDED", "UNAUTHENTICATED", "DEADLINE_EXCEEDED")
    if type(error).__name__ == "RetriesExceeded" or any(name in text for name in unreachable):
        return SparkDownError("Spark (reconcile.spark_remote) does not answer")
    condition = (
        getattr(error, "getCondition", lambda: None)() or getattr(error, "getErrorClass", lambda: None)()
    )
    return SparkFailedError(f"Spark failed ({condition or type(error).__name__})")


class OtherBucketError(ValueError):
    """The listing holds rows of another bucket."""


def load_differences(engine: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """Create the table `differences` from Spark's files."""
    paths = ", ".join(f"'{path}'" for path in files)
    engine.execute(f"CREATE TABLE differences AS FROM read_parquet([{paths}], hive_partitioning = false)")
