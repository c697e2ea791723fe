"""Fixtures of tests that copy: buckets, a proxy in front of S3 that injects faults, one session."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from aiobotocore.session import AioSession
from types_boto3_s3 import S3Client

from orca_daemon.aws.session import checked_session
from tests.aws.s3copy.faulty import Faulty


@pytest.fixture
def bucket(bucket: Callable[[], str], s3: S3Client) -> Iterator[Callable[[], str]]:
    """Makes empty buckets, and checks at the end of the test that none holds an unfinished upload."""
    names: list[str] = []

    def make() -> str:
        names.append(bucket())
        return names[-1]

    yield make
    assert [s3.list_multipart_uploads(Bucket=name).get("Uploads", []) for name in names] == [[]] * len(names)


@pytest.fixture
async def faulty(aws_endpoint: str) -> AsyncIterator[Faulty]:
    async with Faulty(aws_endpoint) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def session() -> AioSession:
    """One for all tests, because reading the models of the services takes long."""
    return checked_session()
