"""`check` and the start judge alike: the start refuses, waits for, or logs what `check` calls wrong."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, closing
from typing import Any

import psycopg2
import pytest
from structlog.testing import capture_logs

from orca_daemon.app import patience
from orca_daemon.app.bindings import bind
from orca_daemon.app.checkup import Finding, Grade, StartAction, findings
from orca_daemon.app.checkup.settings import handlers
from orca_daemon.aws.clients import connect
from orca_daemon.db.database import Database
from orca_daemon.db.migrate import upgrade
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.errors import RouteError
from orca_daemon.local.moto import REGION
from orca_daemon.local.postgres import Postgres
from orca_daemon.ops.exits import StartConfigurationError
from orca_daemon.ops.metrics import Metrics
from orca_daemon.queues.services import Services
from orca_daemon.settings import Settings
from tests.conftest import QueuePair, Server
from tests.faults.test_failover import execute, make_standby
from tests.memory import directory
from tests.roles import login
from tests.waiting import PATIENCE

MakeSettings = Callable[..., Settings]
FAR = "https://sqs.eu-west-1.amazonaws.com/123456789012/q"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "BACKOFF", Backoff(base=0.0, floor=0.0))


@pytest.fixture
def settings_with(aws_endpoint: str, sqs_endpoint: str, database_url: str, queues: Any) -> MakeSettings:
    """Makes the settings of a daemon that would work, with sections changed."""
    pair: QueuePair = queues(fifo=True)

    def make(**changes: Any) -> Settings:
        return Settings.model_validate(
            {
                "aws": {"region": REGION, "endpoint_url": aws_endpoint, "sqs_endpoint_url": sqs_endpoint},
                "queues": {"status_update": {"url": pair.url}},
                "database": {"url": database_url},
                **changes,
            }
        )

    return make


async def start(settings: Settings) -> None:
    """Run the part of the start that reads and judges."""
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(connect(settings))
        database = Database(settings.database) if settings.database.configured else None
        if database is not None:
            stack.callback(database.close)
        await bind(
            Services(
                settings=settings, clients=clients, database=database, metrics=Metrics(handlers(settings))
            )
        )


async def wrong(settings: Settings) -> list[Finding]:
    return [each for each in await findings(settings) if each.grade is Grade.WRONG]


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        pytest.param({"database": {}}, "status_update needs a database and none", id="no database"),
        pytest.param({"database": {"host": "h"}}, "is named neither by settings nor", id="half an address"),
        pytest.param({"queues": {"status_update": {"url": FAR}}}, "is in eu-west-1", id="another region"),
    ],
)
async def test_the_start_refuses_with_the_sentence_of_check(
    settings_with: MakeSettings, changes: dict[str, Any], part: str
) -> None:
    settings = settings_with(**changes)
    found = await wrong(settings)
    with pytest.raises(StartConfigurationError) as refused:
        await start(settings)
    assert part in str(refused.value)
    assert str(refused.value) in [each.sentence for each in found if each.at_start is StartAction.REFUSE]


async def test_the_start_refuses_a_missing_queue_with_the_sentence_of_check(
    settings_with: MakeSettings, queues: Any
) -> None:
    url = queues(fifo=True).url.replace("q-", "gone-")
    settings = settings_with(queues={"status_update": {"url": url}})
    [found] = await wrong(settings)
    with pytest.raises(StartConfigurationError) as refused:
        await start(settings)
    assert str(refused.value) == found.sentence
    assert found.do == "create it, or correct queues.status_update.url (ORCA_QUEUES__STATUS_UPDATE__URL)"


@pytest.mark.parametrize("missing", ["schema", "database"])
async def test_the_start_refuses_a_missing_schema_with_the_sentence_of_check(
    settings_with: MakeSettings, empty_database: str, missing: str
) -> None:
    url = empty_database if missing == "schema" else f"{empty_database}_gone"
    settings = settings_with(database={"url": url})
    [found] = await wrong(settings)
    with pytest.raises(StartConfigurationError) as refused:
        await start(settings)
    assert str(refused.value) == found.sentence
    assert "orca-daemon db upgrade" in found.do


async def test_an_unknown_route_is_wrong_for_both(settings_with: MakeSettings, queues: Any) -> None:
    settings = settings_with(queues={"notices": {"url": queues().url}})
    [found] = await wrong(settings)
    with pytest.raises(RouteError) as refused:
        await start(settings)
    assert (found.at_start, found.text) == (StartAction.REFUSE, str(refused.value))


async def test_an_unreachable_database_is_wrong_and_waited_for(settings_with: MakeSettings) -> None:
    settings = settings_with(database={"url": "postgresql://u@127.0.0.1:9/d"})
    [found] = await wrong(settings)
    assert found.at_start is StartAction.WAIT
    with capture_logs() as logs:
        starting = asyncio.create_task(start(settings))
        await until_it_waits(starting, logs)
        starting.cancel()


async def until_it_waits(starting: "asyncio.Task[None]", logs: list[Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not any(line["event"] == "start.waiting" for line in logs):
            assert not starting.done(), starting
            await asyncio.sleep(0.01)


@pytest.fixture
def standby() -> Iterator[Postgres]:
    with directory() as folder, Postgres(folder / "primary") as primary:
        upgrade(primary.url())
        with make_standby(primary, folder / "standby") as server:
            yield server


async def test_a_standby_is_wrong_and_waited_for_until_it_is_the_writer(
    settings_with: MakeSettings, standby: Postgres
) -> None:
    settings = settings_with(database={"url": standby.url()})
    [found] = await wrong(settings)
    assert found.text == "the server is a standby: nothing can be written"
    assert found.at_start is StartAction.WAIT
    with capture_logs() as logs:
        starting = asyncio.create_task(start(settings))
        await until_it_waits(starting, logs)
        assert execute(standby.url(), "SELECT pg_promote()") == [(True,)]
        async with asyncio.timeout(PATIENCE):
            await starting
    [reason] = {line["reason"] for line in logs if line["event"] == "start.waiting"}
    assert reason == f"postgres is down: {found.text}"


async def test_a_standby_is_enough_for_exports_and_both_say_that_comparisons_wait(
    settings_with: MakeSettings, standby: Postgres, queues: Any
) -> None:
    settings = settings_with(
        database={"url": standby.url()}, queues={"internal_report": {"url": queues(fifo=True).url}}
    )
    [found] = await wrong(settings)
    assert found.at_start is StartAction.PROCEED
    with capture_logs() as logs:
        await start(settings)
    assert found.text in [line["reason"] for line in logs if line["event"] == "start.finding"]


async def test_a_table_that_may_not_be_written_is_wrong_and_warned_of(
    settings_with: MakeSettings, database_url: str, postgres: Server
) -> None:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("CREATE ROLE half LOGIN; GRANT orca_app TO half")
        cursor.execute("REVOKE INSERT ON orca.reconcile_job FROM orca_app")
        try:
            settings = settings_with(database={"url": login(database_url, "half")})
            [found] = await wrong(settings)
            assert found.at_start is StartAction.PROCEED
            with capture_logs() as logs:
                await start(settings)
        finally:
            cursor.execute("DROP OWNED BY half; DROP ROLE half")
    [warning] = [line for line in logs if line["event"] == "database.tables_refused"]
    assert (warning["tables"], warning["reason"]) == (("reconcile_job",), found.text)


async def test_all_advice_of_check_about_what_the_start_reads_is_logged_by_the_start(
    settings_with: MakeSettings, queues: Any
) -> None:
    settings = settings_with(
        engine={"wait": 20, "drain_seconds": 10},
        queues={"internal_report": {"url": queues().url}, "recovery": {"url": queues().url}},
        recovery={"unknown_keys": "route", "protected_bucket": "b", "public_bucket": "b"},
    )
    only_check = "its dead-letter queue keeps messages no longer"
    advised = [
        each.text
        for each in await findings(settings)
        if each.grade is Grade.ADVICE and not each.text.startswith(only_check)
    ]
    with capture_logs() as logs:
        await start(settings)
    assert sorted(line["reason"] for line in logs if line.get("do")) == sorted(advised)
    assert {line["log_level"] for line in logs if line["event"] == "start.finding"} == {"info"}
    assert len(advised) >= 4


async def test_a_missing_table_of_restores_is_wrong_and_the_start_proceeds(
    settings_with: MakeSettings, database_url: str, queues: Any
) -> None:
    with closing(psycopg2.connect(database_url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE orca.orca_daemon_restore")
    names = {"status_update": True, "recovery": False, "restore": False}
    settings = settings_with(queues={name: {"url": queues(fifo=fifo).url} for name, fifo in names.items()})
    [finding] = [each for each in await wrong(settings) if "orca_daemon_restore" in each.text]
    assert (finding.grade, finding.at_start) == (Grade.WRONG, StartAction.PROCEED)
    assert finding.do == "run 'orca-daemon db upgrade'"
    with capture_logs() as logged:
        await start(settings)
    assert [line["missing"] for line in logged if line["event"] == "database.table_missing"] == [
        ("orca_daemon_restore",)
    ]
