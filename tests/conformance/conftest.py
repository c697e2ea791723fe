"""Each test runs on every implementation of SQS ("party"); if a deviation is known, it must fail there."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from aiobotocore.config import AioConfig
from botocore.exceptions import ClientError

from orca_daemon.aws.direct_calls import DirectCalls
from orca_daemon.aws.session import checked_session
from orca_daemon.engine.errors import SourceError
from orca_daemon.local.endpoint import Endpoint
from orca_daemon.local.moto import REGION
from tests.conformance.deviations import DEVIATIONS
from tests.conformance.localstack import LocalStack
from tests.conformance.parties import Http, Memory, Party, RefusalError

OTHERS = ("moto", "localstack")
OVER_HTTP = ("http", "direct", *OTHERS)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--localstack", action="store_true", help="install LocalStack and test it, too")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "party" not in metafunc.fixturenames:
        return
    names: tuple[str, ...] = OVER_HTTP if "client" in metafunc.fixturenames else ("memory", *OVER_HTTP)
    if not metafunc.config.getoption("--localstack", default=False):
        names = tuple(name for name in names if name != "localstack")
    behaviour = metafunc.function.__name__.removeprefix("test_")
    metafunc.parametrize("party", [_case(name, behaviour) for name in names], indirect=True)


def _case(name: str, behaviour: str) -> Any:
    # The default run tests our own implementations; `./dev conformance` compares the others.
    marks = [pytest.mark.matrix] if name in OTHERS else []
    if deviation := DEVIATIONS.get(name, {}).get(behaviour):
        raises = (
            *(AssertionError, pytest.fail.Exception, ValueError, KeyError),  # another response
            *(SourceError, RefusalError, ClientError),  # another error
        )
        marks.append(pytest.mark.xfail(strict=True, raises=raises, reason=deviation))
    return pytest.param(name, marks=marks)


@pytest.fixture(scope="session")
def localstack() -> Iterator[str]:
    with LocalStack() as server:
        yield server.url


@pytest.fixture(scope="session")
def our_sqs(bare_environment: None) -> Iterator[str]:
    with Endpoint("orca_daemon.local.sqs") as server:
        yield server.url


_ENDPOINTS = {"http": "our_sqs", "direct": "our_sqs", "moto": "aws_endpoint", "localstack": "localstack"}


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def parties(request: pytest.FixtureRequest) -> AsyncIterator[dict[str, Any]]:
    """The implementations that tests have used so far, by name, and the exit stack that closes them."""
    async with AsyncExitStack() as stack:
        yield {"memory": Memory(), "stack": stack}


@pytest_asyncio.fixture(loop_scope="session")
async def party(request: pytest.FixtureRequest, parties: dict[str, Any]) -> Party:
    """One implementation of SQS."""
    name = request.param
    if name not in parties:
        endpoint = request.getfixturevalue(_ENDPOINTS[name])
        client = _client(endpoint, direct=name == "direct")
        parties[name] = Http(name, await parties["stack"].enter_async_context(client))
    party: Party = parties[name]
    return party


@pytest.fixture
def client(party: Party) -> Any:
    """The party's client, for calls that `Source` does not have."""
    assert isinstance(party, Http)
    return party.client


@asynccontextmanager
async def _client(endpoint: str, *, direct: bool) -> AsyncIterator[Any]:
    config = AioConfig(parameter_validation=False, max_pool_connections=30, retries={"total_max_attempts": 1})
    session = checked_session()
    async with session.create_client(
        "sqs", endpoint_url=endpoint, region_name=REGION, config=config
    ) as client:
        if direct:
            DirectCalls(client, session, user_agent="test", tries=1).replace()
        yield client
