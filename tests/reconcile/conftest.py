"""A catalog in Postgres, inventories in S3, and the code that compares them."""

import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pytest
from sqlalchemy import NullPool, create_engine

from orca_daemon.aws.clients import connect
from orca_daemon.db.address import parse
from orca_daemon.db.database import Database
from orca_daemon.local.moto import REGION
from orca_daemon.ops.metrics import Metrics
from orca_daemon.queues.services import Services
from orca_daemon.reconcile import reports
from orca_daemon.reconcile.child import compared
from orca_daemon.reconcile.jobs import open_job
from orca_daemon.reconcile.manifest import FIELDS
from orca_daemon.reconcile.protocol import Compared, ComparisonFailure, Message, Remote, differences
from orca_daemon.reconcile.run import Reconciler
from orca_daemon.reconcile.task import Comparison, task
from orca_daemon.settings import Settings
from tests.reconcile.archive import ALL_VERSIONS, CREATED, Archive, Form, Listed, encoded

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


@pytest.fixture
async def services(settings: Settings, database: Database) -> AsyncIterator[Services]:
    async with connect(settings) as clients:
        yield Services(settings=settings, clients=clients, database=database, metrics=Metrics())


@dataclass
class Bench:
    """Runs the child's code in this process, on files instead of S3."""

    archive: Archive
    settings: Settings
    folder: Path
    allow_empty: bool = False
    race_window: float = 0
    result: Compared | ComparisonFailure | None = None

    def compare(
        self, *files: Sequence[Listed], form: Form = "CSV", schema: Sequence[str] = ALL_VERSIONS
    ) -> Compared | ComparisonFailure:
        """Compare this listing, one file for each list of rows."""
        return self._compare([encoded(form, schema, rows) for rows in files], form, schema)

    def compare_bytes(
        self,
        body: bytes,
        form: Form = "CSV",
        schema: Sequence[str] = ALL_VERSIONS,
        **output: int | str | None,
    ) -> Compared | ComparisonFailure:
        """Compare a listing of one file with these bytes; `output` replaces facts in the manifest."""
        return self._compare([body], form, schema, **output)

    def _compare(
        self, bodies: list[bytes], form: Form, schema: Sequence[str], **output: int | str | None
    ) -> Compared | ComparisonFailure:
        self.folder = Path(tempfile.mkdtemp(dir=self.folder))
        files = [
            replace(self._file(index, body), **output)  # type: ignore[arg-type]  # a test knows the fields
            for index, body in enumerate(bodies)
        ]
        columns = tuple(FIELDS.get(name, "") for name in schema)
        comparison = Comparison(bucket="archive", created=CREATED, form=form, columns=columns)
        options = self.settings.reconcile.model_copy(
            update={"allow_empty": self.allow_empty, "race_window": self.race_window}
        )
        settings = self.settings.model_copy(update={"reconcile": options})
        url = settings.database.url
        assert url is not None
        output_lines: list[Message] = []
        child_task = task(settings, parse(url.get_secret_value()), comparison, self.folder, 1)
        self.result = compared(child_task, files, output_lines.append, lambda index, _: files[index].url)
        return self.result

    def _file(self, index: int, body: bytes) -> Remote:
        path = self.folder / f"source-{index}"
        path.write_bytes(body)
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return Remote(key=f"data/{index}", size=len(body), md5=md5, url=path.as_uri())

    def write(self) -> int:
        """Write the reports of the last comparison; return the job."""
        url = self.settings.database.url
        assert url is not None
        engine = create_engine(
            url.get_secret_value().replace("postgresql:", "postgresql+psycopg2:"), poolclass=NullPool
        )
        with engine.begin() as connection:
            job = open_job(connection, "archive", CREATED, None)
            assert isinstance(self.result, Compared)
            reports.write(connection, job, differences(self.folder), self.result)
            return job.id


@pytest.fixture
def bench(archive: Archive, settings: Settings, tmp_path: Path) -> Bench:
    return Bench(archive, settings, tmp_path)
