"""Clients of every service, connected to a server that sends wrong responses."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from aiobotocore.config import AioConfig

from orca_daemon.aws import direct_s3
from orca_daemon.aws.clients import Clients
from orca_daemon.aws.direct_calls import DirectCalls
from orca_daemon.aws.direct_s3 import DirectS3
from orca_daemon.aws.metering import meter
from orca_daemon.aws.session import checked_session
from orca_daemon.engine.backoff import Backoff
from orca_daemon.local.moto import REGION
from tests.aws.wrong_responses import WrongServer


class Bench:
    """A `WrongServer`, the clients of it, and the calls that the meter counted, as (operation, outcome)."""

    def __init__(self, server: WrongServer, clients: dict[str, Any]) -> None:
        self.server = server
        self.clients = clients
        self.counted: list[tuple[str, str]] = []


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def bench(bare_environment: None) -> AsyncIterator[Bench]:
    """One for all tests, because making clients takes long."""
    config = AioConfig(
        parameter_validation=False,
        retries={"total_max_attempts": 1, "mode": "standard"},
        read_timeout=5,
        s3={"addressing_style": "path"},
    )
    services = ("sqs", "s3", "secretsmanager", "ssm", "sts", "stepfunctions")
    async with AsyncExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(
            direct_s3, "RETRY", Backoff(base=0, floor=0)
        )
        server, session = await stack.enter_async_context(WrongServer()), checked_session()
        clients = {
            name: await stack.enter_async_context(
                session.create_client(name, region_name=REGION, endpoint_url=server.url, config=config)
            )
            for name in services
        }
        clients["sqs-direct"] = await stack.enter_async_context(
            session.create_client("sqs", region_name=REGION, endpoint_url=server.url, config=config)
        )
        clients["s3-direct"] = await stack.enter_async_context(
            session.create_client("s3", region_name=REGION, endpoint_url=server.url, config=config)
        )
        direct = (
            DirectCalls(clients["sqs-direct"], session, user_agent="test", tries=1),
            DirectS3(clients["s3-direct"], session, user_agent="test"),
        )
        for each in direct:
            each.replace()
        bench = Bench(server, clients)
        sqs = clients["sqs"]
        meter(
            Clients(
                poll=sqs,
                control=clients["s3-direct"],
                s3=clients["s3"],
                secrets=clients["secretsmanager"],
                ssm=clients["ssm"],
                sts=clients["sts"],
                states=clients["stepfunctions"],
                direct=direct,
            ),
            lambda operation, outcome, _: bench.counted.append((operation, outcome)),
        )
        yield bench
