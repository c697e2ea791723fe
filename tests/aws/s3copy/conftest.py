"""A copier over real HTTP: aiobotocore, a proxy that injects faults, and moto with our corrections."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from orca_daemon.aws import direct_s3
from orca_daemon.aws.s3copy import Copier, CopyOptions
from orca_daemon.aws.s3copy.progress import Observer, unobserved
from orca_daemon.engine.backoff import Backoff
from orca_daemon.local.moto import REGION
from tests.aws.s3copy.faulty import Faulty
from tests.aws.s3copy.storage import bucket, faulty, session  # noqa: F401  pytest finds fixtures by their names

NO_PAUSE = Backoff(base=0.0, floor=0.0)


@pytest.fixture(params=["direct", pytest.param("aiobotocore", marks=pytest.mark.matrix)])
async def aio_s3(
    faulty: Faulty, session: AioSession, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    """A client without retries, so that all retries in a test are the copier's; its calls go either way."""
    monkeypatch.setattr(direct_s3, "RETRY", NO_PAUSE)
    config = AioConfig(
        parameter_validation=False,
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=5,
        read_timeout=30,
        max_pool_connections=40,
    )
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            session.create_client(
                "s3",
                region_name=REGION,
                endpoint_url=faulty.url,
                config=config,
            )
        )
        if request.param == "direct":
            direct_s3.DirectS3(client, session, user_agent="test").replace()
        yield client


@pytest.fixture
def copier(aio_s3: Any) -> Callable[..., Copier]:
    def make(observe: Observer = unobserved, **options: Any) -> Copier:
        return Copier(aio_s3, CopyOptions(**{"backoff": NO_PAUSE, "tries": 4, **options}), observe)

    return make
