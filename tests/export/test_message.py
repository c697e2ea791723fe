"""Exports that a message requests, by the handler of the internal-report queue."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from typing import Any
from uuid import uuid4

import boto3
import psycopg2
import pytest
from sqlalchemy import make_url
from structlog.testing import capture_logs
from types_boto3_s3 import S3Client

from orca_daemon.aws.clients import connect
from orca_daemon.db.database import Database
from orca_daemon.db.failures import PostgresError
from orca_daemon.engine import places
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
from orca_daemon.local.moto import REGION
from orca_daemon.ops.metrics import Metrics
from orca_daemon.queues.internal_report.exports import ExportError, export_tables
from orca_daemon.queues.services import Services
from orca_daemon.settings import Settings
from orca_daemon.wire.inventory import ExportRequest, decode
from tests.export.conftest import Source
from tests.flaky_s3 import Answer, FlakyS3, error

Open = Callable[..., Any]
CANCEL = """
    SELECT pg_cancel_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
RUNNING = """
    SELECT count(*) > 0 FROM pg_locks JOIN pg_database d ON d.oid = database
    WHERE locktype = 'advisory' AND datname = current_database()
"""


@pytest.fixture
def shop(source: Source) -> Source:
    source.run("CREATE TABLE staff (id int, last_updated timestamptz DEFAULT now() - interval '1 hour')")
    source.run("INSERT INTO staff VALUES (1), (2)")
    return source


@pytest.fixture
def services(shop: Source, aws_endpoint: str, bucket: Callable[[], str]) -> Open:
    """Opens services for settings; the default for the application's database is the shop's."""

    @asynccontextmanager
    async def opened(**sections: dict[str, Any]) -> AsyncIterator[Services]:
        export = {"bucket": bucket(), "tables": {"staff": {}}} | sections.pop("export", {})
        tree: dict[str, Any] = {
            "aws": {"region": REGION, "endpoint_url": aws_endpoint},
            "database": {"url": shop.url},
            "export": export,
        }
        settings = Settings.model_validate(tree | sections)
        async with connect(settings) as clients:
            with closing(Database(settings.database)) as database:
                yield Services(
                    settings=settings,
                    clients=clients,
                    database=database if settings.database.configured else None,
                    metrics=Metrics(),
                )

    return opened


def request(*tables: str) -> ExportRequest:
    message = decode(json.dumps({"tables_to_query": tables}))
    assert isinstance(message, ExportRequest)
    return message


def critical(logs: list[Any]) -> list[str]:
    """The reasons of the log's CRITICAL lines, which are all of one event."""
    lines = [entry for entry in logs if entry["log_level"] == "critical"]
    assert {entry["event"] for entry in lines} <= {"export.failed"}
    return [entry["reason"] for entry in lines]


async def test_a_message_gets_its_tables_exported_once(services: Open, s3: S3Client) -> None:
    async with services() as opened:
        keys = await export_tables(opened, request("staff"))
        again = await export_tables(opened, request("staff"))

        assert list(keys) == ["staff"]
        assert again == {}
        listed = s3.list_objects_v2(Bucket=opened.settings.export.bucket)["Contents"]
        assert [entry["Key"] for entry in listed] == [keys["staff"]]
        output = opened.metrics.exposition().decode()
    assert "orca_daemon_export_rows_total 2.0" in output
    assert 'orca_daemon_export_seconds_count{outcome="written"} 1.0' in output
    assert 'orca_daemon_export_seconds_count{outcome="nothing_new"} 1.0' in output


async def test_the_log_has_each_table_and_ends_with_critical_if_one_cannot_be_exported(
    services: Open, shop: Source
) -> None:
    shop.run("CREATE TABLE broken (price numeric(5,2), last_updated timestamptz)")
    shop.run("INSERT INTO broken VALUES ('NaN', now() - interval '1 hour')")
    tables: dict[str, Any] = {"staff": {}, "absent": {}, "broken": {}}
    output = []
    async with services(export={"tables": tables}) as opened:
        for names in (["staff"], ["staff", "absent"], ["broken"]):
            with capture_logs() as logs, suppress(Reject):
                await export_tables(opened, request(*names))
            output.append([(entry["log_level"], entry["event"]) for entry in logs])

    assert output == [
        [
            ("info", "export.started"),
            ("info", "export.table"),
            ("info", "export.written"),
            ("info", "export.finished"),
        ],
        [
            ("info", "export.started"),
            ("info", "export.table"),
            ("warning", "export.nothing_new"),
            ("error", "export.table_failed"),
            ("critical", "export.failed"),
        ],
        [
            ("info", "export.started"),
            ("info", "export.table"),
            ("error", "export.table_failed"),
            ("critical", "export.failed"),
        ],
    ]


async def test_a_message_that_is_redelivered_while_its_export_runs_waits_and_repeats_nothing(
    services: Open, shop: Source, s3: S3Client
) -> None:
    async with services(database={"url": shop.url, "lock_timeout": 60}) as opened:
        with closing(psycopg2.connect(shop.url)) as other, other.cursor() as cursor:
            cursor.execute("LOCK TABLE staff IN ACCESS EXCLUSIVE MODE")
            first = asyncio.create_task(export_tables(opened, request("staff")))
            while shop.run(RUNNING) != [(True,)]:  # noqa: ASYNC110  only the server knows it
                await asyncio.sleep(0)
            with pytest.raises(NotYet, match="another export of staff"):
                await export_tables(opened, request("staff"))

        assert list(await first) == ["staff"]
        assert await export_tables(opened, request("staff")) == {}
        assert s3.list_objects_v2(Bucket=opened.settings.export.bucket)["KeyCount"] == 1


async def test_a_table_that_is_not_allowed_is_rejected_after_the_others_are_done(
    services: Open, s3: S3Client
) -> None:
    async with services() as opened:
        refusal = r"not to be exported: pg_authid; allowed by the settings: .*staff"
        with capture_logs() as logs, pytest.raises(Reject, match=refusal):
            await export_tables(opened, request("pg_authid", "staff"))

        (reason,) = critical(logs)
        assert re.match(refusal, reason)
        assert s3.list_objects_v2(Bucket=opened.settings.export.bucket)["KeyCount"] == 1


async def test_without_a_bucket_the_message_is_rejected(services: Open) -> None:
    async with services(export={"bucket": None}) as opened:
        with capture_logs() as logs, pytest.raises(Reject, match=r"export\.bucket"):
            await export_tables(opened, request("staff"))
    assert critical(logs) == ["no bucket for exports is set (export.bucket)"]


async def test_an_export_that_the_server_ends_as_a_whole_is_logged_as_critical(
    services: Open, shop: Source
) -> None:
    async with services(database={"url": shop.url, "lock_timeout": 60}) as opened:
        with closing(psycopg2.connect(shop.url)) as other, other.cursor() as cursor:
            cursor.execute("LOCK TABLE staff IN ACCESS EXCLUSIVE MODE")
            running = asyncio.create_task(export_tables(opened, request("staff")))
            with capture_logs() as logs:
                while shop.run(CANCEL) != [(True,)]:  # noqa: ASYNC110  only the server knows it
                    await asyncio.sleep(0)
                with pytest.raises(PostgresError, match="57014"):
                    await running
    (reason,) = critical(logs)
    assert reason.startswith("the server cancelled a statement")


async def test_a_bucket_that_does_not_exist_is_retried(services: Open) -> None:
    async with services(export={"bucket": "nowhere"}) as opened:
        with capture_logs() as logs, pytest.raises(ExportError, match="NoSuchBucket"):
            await export_tables(opened, request("staff"))
    assert [entry["event"] for entry in logs if entry["log_level"] == "critical"] == ["export.failed"]


async def test_a_database_that_is_down_is_waited_for(services: Open) -> None:
    async with services(database={"url": "postgresql://x@127.0.0.1:1/x"}) as opened:
        with pytest.raises(DependencyDown):
            await export_tables(opened, request("staff"))


async def test_an_s3_that_is_down_is_waited_for(services: Open, shop: Source) -> None:
    async with services() as opened:
        gone = Settings.model_validate({"aws": {"region": REGION, "endpoint_url": "http://127.0.0.1:1"}})
        async with connect(gone) as clients:
            there = Services(
                settings=opened.settings, clients=clients, database=opened.database, metrics=Metrics()
            )
            with pytest.raises(DependencyDown):
                await export_tables(there, request("staff"))


async def test_another_database_is_read_by_its_secret(
    services: Open, shop: Source, aws_endpoint: str
) -> None:
    url = make_url(shop.url)
    secret = {
        "username": url.username,
        "password": url.password,
        "host": url.host,
        "port": str(url.port),
        "dbname": url.database,
    }
    name = f"totes-{uuid4().hex}"
    with closing(boto3.client("secretsmanager", endpoint_url=aws_endpoint, region_name=REGION)) as secrets:
        secrets.create_secret(Name=name, SecretString=json.dumps(secret))

    async with services(database={}, export={"source_secret": name}) as opened:
        assert opened.database is None
        assert list(await export_tables(opened, request("staff"))) == ["staff"]


async def test_another_database_that_is_down_is_waited_for_under_a_name_of_its_own(services: Open) -> None:
    async with services(export={"source_url": "postgresql://x@127.0.0.1:1/x"}) as opened:
        with pytest.raises(DependencyDown) as caught:
            await export_tables(opened, request("staff"))
    assert caught.value.dependency == "export_source"


class TestPlaces:
    """A failure of S3 names the place, and is not charged to the message."""

    @pytest.fixture
    def flaky(self, aws_endpoint: str) -> Iterator[FlakyS3]:
        with FlakyS3(aws_endpoint) as s3:
            yield s3

    @pytest.mark.parametrize(
        ("method", "wrong", "kind", "what"),
        [
            ("PUT", error("SlowDown", 503), NotYet, "write"),
            ("PUT", error("InternalError", 500), DependencyDown, "write"),
            ("PUT", error("ExpiredToken", 400), DependencyDown, "write"),
            ("PUT", error("RequestTimeTooSkewed", 403), DependencyDown, "write"),
            ("PUT", error("AccessDenied", 403), Refused, "write"),
            ("GET", error("SlowDown", 503), NotYet, "read"),
            ("GET", error("InternalError", 500), DependencyDown, "read"),
            ("GET", error("AccessDenied", 403), Refused, "read"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_of_failures(
        self, services: Open, flaky: FlakyS3, method: str, wrong: Answer, kind: type[Exception], what: str
    ) -> None:
        flaky.answers = lambda asked, path: wrong if asked == method and "uploads" not in path else None

        async with services(aws={"region": REGION, "endpoint_url": flaky.url}) as opened:
            with pytest.raises(kind) as raised:
                await export_tables(opened, request("staff"))

            if isinstance(raised.value, DependencyDown | Refused):
                place = f"{what} {opened.settings.export.bucket}"
                assert (raised.value.dependency, raised.value.place) == ("s3", place)

    async def test_of_what_succeeds(self, services: Open) -> None:
        succeeded: list[tuple[str, str]] = []
        listener = places._listener.set(lambda *place: succeeded.append(place))

        async with services() as opened:
            await export_tables(opened, request("staff"))
            bucket = opened.settings.export.bucket

        places._listener.reset(listener)
        assert set(succeeded) == {("s3", f"read {bucket}"), ("s3", f"write {bucket}")}

    async def test_the_mildest_failure_of_all_tables_is_raised(
        self, services: Open, flaky: FlakyS3, shop: Source
    ) -> None:
        shop.run("CREATE TABLE orders AS SELECT * FROM staff")
        flaky.answers = lambda method, path: (
            error("SlowDown", 503) if method == "PUT" and "/orders/" in path else None
        )
        tables: dict[str, dict[str, str]] = {"staff": {}, "orders": {}, "absent": {}}

        async with services(
            aws={"region": REGION, "endpoint_url": flaky.url}, export={"tables": tables}
        ) as opened:
            with pytest.raises(NotYet, match="SlowDown"):
                await export_tables(opened, request("absent", "staff", "orders"))
            flaky.answers = lambda *_: None
            with pytest.raises(Reject, match="there is no table absent"):
                await export_tables(opened, request("absent", "staff", "orders"))


async def test_a_secret_without_an_address_is_rejected(services: Open) -> None:
    async with services(database={}) as opened:
        with pytest.raises(Reject, match="no database is configured"):
            await export_tables(opened, request("staff"))
