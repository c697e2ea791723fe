"""A catalog in Postgres, inventories in S3, and what compares them."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pytest

from orca_daemon.aws.clients import connect
from orca_daemon.db.database import Database
from orca_daemon.local.moto import REGION
from orca_daemon.reconcile.run import Reconciler
from orca_daemon.settings import Settings
from tests.reconcile.archive import Archive

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@pytest.fixture
def archive(database_url: str, s3: "S3Client", bucket: Callable[[], str]) -> Iterator[Archive]:
    with closing(psycopg2.connect(database_url)) as connection:
        connection.autocommit = True
        yield Archive(connection, s3, bucket())


@pytest.fixture
def settings(database_url: str, aws_endpoint: str, tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {
            "aws": {"region": REGION, "endpoint_url": aws_endpoint},
            "database": {"url": database_url},
            "reconcile": {"work_dir": str(tmp_path / "work"), "race_window": 0},
        }
    )


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    with closing(Database(settings.database)) as database:
        yield database


@pytest.fixture
async def reconciler(settings: Settings, database: Database) -> AsyncIterator[Reconciler]:
    async with connect(settings) as clients:
        yield Reconciler(settings, database, clients.s3)
