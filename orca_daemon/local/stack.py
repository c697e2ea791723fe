"""Starts and stops the embedded Postgres, SQS and S3 with a daemon and a console on them, in order."""

import asyncio
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

import boto3
import psycopg2
from botocore.exceptions import BotoCoreError, ClientError

from orca_daemon.db.migrate import UpgradeError, upgrade
from orca_daemon.local import NotStartedError
from orca_daemon.local.daemon import ConsoleProcess, Daemon, foreign_removed
from orca_daemon.local.endpoint import Endpoint
from orca_daemon.local.layout import (
    BUCKETS,
    DEAD_LETTER,
    PREFIX,
    QueueSpec,
    announce_restores,
    make_buckets,
    make_queues,
)
from orca_daemon.local.moto import CREDENTIALS, REGION, Moto
from orca_daemon.local.ports import free_port
from orca_daemon.local.postgres import Postgres, new_password, set_password
from orca_daemon.local.state import CONSOLE_LOG_FILE, LOG_FILE, StateDirectory, Whereabouts
from orca_daemon.local.wanted import more_queues, route_names
from orca_daemon.settings import load

RESTORE_SECONDS = 2.0
"""Duration of a restore, of every tier."""
_PUBLIC = r"\.(jpg|json)$"
"""Files of these kinds are restored to the public bucket."""
DATABASE = f"{PREFIX}_orca"
APPLICATION_USER = f"{PREFIX}_orcauser"
"""The daemon's role: a member of `orca_app` with the same rights as in a deployment."""


class Stack:
    """The embedded stack; it runs between `start` and `stop`, and ends if this process dies.

    Args:
        state: directory that keeps all data from run to run; None keeps none.
        endpoint_url: LocalStack or another substitute for AWS, used instead of the embedded SQS and S3.
        log: whether daemon and console log to files in the directory instead of standard output.
        config: the settings file of the daemon, else its default file; a queue that it names is made.
        queues: names of further queues, and whether each is a FIFO queue.

    Raises:
        StateBusyError: another process runs a stack on this directory.
        SettingsError: the settings are wrong.
    """

    def __init__(
        self,
        state: Path | None = None,
        *,
        endpoint_url: str | None = None,
        log: bool = True,
        config: Path | None = None,
        queues: Mapping[str, bool] | None = None,
    ) -> None:
        self._config = config.resolve() if config else None
        self._settings = load(config, foreign_removed(os.environ), need_queue=False)
        self._asked = queues or {}
        self._closing = ExitStack()
        self._keeps = state is not None
        if state is None:
            state = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="orca-daemon-")))
        self.state = StateDirectory(state)
        self._closing.callback(self.state.close)
        self._endpoint_url = endpoint_url
        self._application_password = new_password()
        self._servers: dict[str, Endpoint | Postgres] = {}
        self.log = self.state.path / LOG_FILE if log else None
        self.daemon: Daemon | None = None
        self.console: Daemon | None = None

    def start(self) -> Whereabouts:
        """Start all parts; returns when daemon and console are ready and `stack.json` is written.

        Raises:
            NotStartedError: a part did not start.
        """
        try:
            return self._start()
        except (BotoCoreError, ClientError, psycopg2.Error, UpgradeError) as error:
            self.stop()
            raise NotStartedError(str(error).strip()) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> int | None:
        """Stop all parts, the daemon first.  Returns the daemon's exit code; None if it was not started."""
        if self.console:
            self.console.begin_stop()
        code = self.daemon.stop() if self.daemon else None
        if self.console:
            self.console.stop()
        self._closing.close()
        return code

    def ended(self) -> list[str]:
        """The parts that have ended unexpectedly, before `stop`."""
        ended = [name for name, server in self._servers.items() if server.pid is None]
        programs = [each for each in (self.daemon, self.console) if each]
        return [*ended, *(each.name for each in programs if each.poll() is not None)]

    def _start(self) -> Whereabouts:
        endpoints = self._launch_endpoints()
        postgres = self._start_postgres()
        more = more_queues(self._settings, asyncio.run(route_names()), self._asked)
        for endpoint in endpoints[:1]:  # SQS is ready
            endpoint.ready()
        aws, sqs = [endpoint.url for endpoint in endpoints] or [self._endpoint_url or ""] * 2
        http_url, console_url = self._url("http_url"), self._url("console_url")
        whereabouts = _fill(aws, sqs, postgres.url(DATABASE), http_url, more)
        if self._config:
            whereabouts.environment["ORCA_CONFIG"] = str(self._config)
        user_url = postgres.url(DATABASE, user=APPLICATION_USER, password=self._application_password)
        environment = whereabouts.environment | {"ORCA_DATABASE__URL": user_url}
        self.daemon = Daemon(environment, whereabouts.http_url, self.log)
        self.daemon.launch()
        if find_spec("fastapi"):  # the extra `console`
            whereabouts = replace(whereabouts, console_url=console_url)
            self.console = self._console(environment, console_url)
            self.console.launch()
        for program in (self.daemon, self.console):
            if program:
                program.ready()
        self.state.publish(whereabouts)
        return whereabouts

    def _console(self, environment: Mapping[str, str], url: str) -> Daemon:
        """Loopback only, so that it shows its pages without a token."""
        listen = {"ORCA_CONSOLE__LISTEN": url.removeprefix("http://")}
        return ConsoleProcess(
            {**environment, **listen}, url, self.log and self.log.with_name(CONSOLE_LOG_FILE)
        )

    def _url(self, key: str) -> str:
        return f"http://127.0.0.1:{free_port(self.state.port(key))}"

    def _launch_endpoints(self) -> list[Endpoint]:
        """Start the embedded SQS, and S3 without waiting, because its imports take long."""
        if self._endpoint_url:
            return []
        kept = self._kept("sqs.json")
        port = str(self.state.port("sqs_endpoint_url"))
        sqs = Endpoint("orca_daemon.local.sqs", (port, *([str(kept)] if kept else [])))
        sqs.launch()
        self._closing.callback(sqs.stop)
        sqs.ready()  # S3 sends events to it
        s3 = Moto(
            self._kept("aws.pickle"),
            port=self.state.port("aws_endpoint_url"),
            restore_seconds=RESTORE_SECONDS,
            sqs=sqs.url,
        )
        s3.launch()
        self._closing.callback(s3.stop)
        self._servers |= {"S3": s3, "SQS": sqs}
        return [s3, sqs]

    def _start_postgres(self) -> Postgres:
        """Start Postgres; create the database at the current schema, and the daemon's role."""
        server = Postgres(
            self._kept("postgres"),
            port=self.state.port("database_url"),
            fast=not self._keeps,
            password=self.state.password("database_url"),
        )
        server.start()
        self._closing.callback(server.stop)
        self._servers["Postgres"] = server
        with closing(psycopg2.connect(server.url())) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if not cursor.fetchone():
                cursor.execute(f"CREATE DATABASE {DATABASE}")
        upgrade(server.url(DATABASE))
        with closing(psycopg2.connect(server.url(DATABASE))) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (APPLICATION_USER,))
            if not cursor.fetchone():
                cursor.execute(f"CREATE ROLE {APPLICATION_USER} LOGIN IN ROLE orca_app")
                cursor.execute(f"ALTER ROLE {APPLICATION_USER} SET search_path = orca, public")
            set_password(connection, APPLICATION_USER, self._application_password)
        return server

    def _kept(self, name: str) -> Path | None:
        return self.state.path / name if self._keeps else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _fill(aws: str, sqs: str, database_url: str, http_url: str, more: dict[str, QueueSpec]) -> Whereabouts:
    """Create the queues and buckets; returns the addresses of all parts."""
    environment = clients_environment(aws, sqs)
    session = boto3.session.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )
    with (
        closing(session.client("sqs", endpoint_url=sqs)) as queue_client,
        closing(session.client("s3", endpoint_url=aws)) as client,
    ):
        queues = make_queues(queue_client, more)
        make_buckets(client)
        announce_restores(client, queue_client, queues["recovery"])
    environment |= daemon_environment(database_url, http_url, queues, BUCKETS)
    environment["ORCA_AWS__EMBEDDED"] = "true"
    return Whereabouts(
        aws_endpoint_url=aws,
        sqs_endpoint_url=sqs,
        database_url=database_url,
        http_url=http_url,
        queues=queues,
        buckets=dict(BUCKETS),
        environment=environment,
    )


def clients_environment(aws: str, sqs: str) -> dict[str, str]:
    """Variables that point every AWS client at these endpoints."""
    return {
        **CREDENTIALS,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": aws,
        "AWS_ENDPOINT_URL_SQS": sqs,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def daemon_environment(
    database_url: str, http_url: str, queues: Mapping[str, str], buckets: Mapping[str, str]
) -> dict[str, str]:
    """Variables that set the daemon's queues, its database and its port."""
    urls = {
        f"ORCA_QUEUES__{name.upper()}__URL": url
        for name, url in queues.items()
        if not name.endswith(DEAD_LETTER)
    }
    return urls | {
        "ORCA_DATABASE__URL": database_url,
        "ORCA_HTTP__PORT": http_url.rpartition(":")[2],
        "ORCA_EXPORT__BUCKET": buckets["export"],
        "ORCA_RESTORE__BUCKET": buckets["archive"],
        "ORCA_RESTORE__DESTINATIONS": json.dumps({_PUBLIC: buckets["public"], ".": buckets["protected"]}),
    }
