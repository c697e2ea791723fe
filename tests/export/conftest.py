"""Exports from a real Postgres to a real S3 endpoint, at times that the test chooses."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from orca_daemon.aws.clients import connect
from orca_daemon.db.database import Database
from orca_daemon.export.bucket import Bucket
from orca_daemon.export.run import ExportRun, Report
from orca_daemon.export.table import ExportOptions
from orca_daemon.export.tables import ChangeTime, Relation, Table
from orca_daemon.local.moto import REGION
from orca_daemon.settings import AwsSection, Settings
from orca_daemon.settings import DatabaseSection as DatabaseSettings

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

T0 = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Source:
    """A database of the test's own, and connections to it."""

    url: str
    connection: Any

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Execute and commit at once."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall()) if cursor.description else []


@dataclass
class Exporter:
    """Runs exports, and reads back their files."""

    database: Database
    clients: Any
    s3: "S3Client"
    bucket: str
    order: dict[str, Any] = field(default_factory=lambda: {"overlap": timedelta(days=14), "row_group": 1000})
    options: dict[str, Any] = field(default_factory=dict)

    async def run(self, now: datetime, *tables: Table, **order: Any) -> Report:
        run = ExportRun(
            self.database,
            Bucket(self.clients.s3, self.bucket),
            ExportOptions(now=now, **(self.order | order)),
            **self.options,
        )
        return await run.export(tables)

    async def rows(self, now: datetime, table: Table, **order: Any) -> list[dict[str, Any]]:
        """Export one table and return the rows of the file, if there is one."""
        report = await self.run(now, table, **order)
        (outcome,) = report.outcomes
        if outcome.error:
            raise outcome.error
        return self.read(outcome.key).to_pylist() if outcome.key else []

    def bytes(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def read(self, key: str) -> pa.Table:
        return pq.read_table(BytesIO(self.bytes(key)))

    def listed(self) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return [entry["Key"] for entry in listed]


def table(name: str, column: str = "last_updated") -> Table:
    """A table with a change time, as the settings describe one."""
    return Table(name.rpartition(".")[2], Relation.parse(name), (ChangeTime(column),))


@contextmanager
def another_run(source: Source, exporter: Exporter, table: str) -> Iterator[None]:
    """Within the context, another run has locked the table."""
    with closing(psycopg2.connect(source.url)) as other, other.cursor() as cursor:
        name = f"{exporter.bucket}/{table}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 8117))", (name,))
        yield
        other.rollback()  # closing the connection returns before the server has released the lock


@pytest.fixture
def source(empty_database: str) -> Iterator[Source]:
    with closing(psycopg2.connect(empty_database)) as connection:
        connection.autocommit = True
        yield Source(empty_database, connection)


@pytest.fixture
async def exporter(
    source: Source, aws_endpoint: str, s3: "S3Client", bucket: Callable[[], str]
) -> AsyncIterator[Exporter]:
    database = Database(DatabaseSettings(url=SecretStr(source.url)))
    async with connect(Settings(aws=AwsSection(region=REGION, endpoint_url=aws_endpoint))) as clients:
        yield Exporter(database, clients, s3, bucket())
    database.close()
