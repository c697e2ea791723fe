"""Fixtures of everything that copies: buckets without leftovers, an S3 that fails on request, one session."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from aiobotocore.session import AioSession
from types_boto3_s3 import S3Client

from orca_daemon.aws.session import checked_session
from tests.aws.s3copy.faulty import Faulty


@pytest.fixture
def bucket(bucket: Callable[[], str], s3: S3Client) -> Iterator[Callable[[], str]]:
    """Makes empty buckets; at the end of the test, none of them holds an unfinished upload."""
    made: list[str] = []

    def make() -> str:
        made.append(bucket())
        return made[-1]

    yield make
    assert [s3.list_multipart_uploads(Bucket=name).get("Uploads", []) for name in made] == [[]] * len(made)


@pytest.fixture
async def faulty(aws_endpoint: str) -> AsyncIterator[Faulty]:
    async with Faulty(aws_endpoint) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def session() -> AioSession:
    """One for all tests: it reads the models of the services once."""
    return checked_session()
