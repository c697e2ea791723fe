"""A copier over real HTTP: aiobotocore, a proxy that injects faults, and moto with our corrections."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from orca_daemon.aws.s3copy import Copier, CopyOptions
from orca_daemon.aws.s3copy.progress import Observer, unobserved
from orca_daemon.engine.backoff import Backoff
from orca_daemon.local.moto import REGION
from tests.aws.s3copy.faulty import Faulty
from tests.aws.s3copy.storage import bucket, faulty, session  # noqa: F401  pytest finds fixtures by their names

NO_PAUSE = Backoff(base=0.0, floor=0.0)


@pytest.fixture
async def aio_s3(faulty: Faulty, session: AioSession) -> AsyncIterator[Any]:
    """An aiobotocore client without retries, so that all retries in a test are the copier's."""
    config = AioConfig(
        parameter_validation=False,
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=5,
        read_timeout=30,
        max_pool_connections=40,
    )
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(
            session.create_client(
                "s3",
                region_name=REGION,
                endpoint_url=faulty.url,
                config=config,
            )
        )


@pytest.fixture
def copier(aio_s3: Any) -> Callable[..., Copier]:
    def make(observe: Observer = unobserved, **options: Any) -> Copier:
        return Copier(aio_s3, CopyOptions(**{"backoff": NO_PAUSE, "tries": 4, **options}), observe)

    return make
