"""One database and one server for all tests of ORCA's read API in a module."""

from collections.abc import Iterator

import pytest

from tests.conftest import Server
from tests.console.orca_api.records import empty
from tests.console.orca_api.served import Api, served


@pytest.fixture(scope="module")
def shared_url(postgres: Server) -> Iterator[str]:
    """URL of a migrated database of this module."""
    url = postgres.migrated()
    yield url
    postgres.drop(url)


@pytest.fixture(scope="module")
def shared_api(shared_url: str) -> Iterator[Api]:
    with served(shared_url) as api:
        yield api


@pytest.fixture
def catalog_url(shared_url: str) -> str:
    """URL of the module's database, without rows."""
    empty(shared_url)
    return shared_url


@pytest.fixture
def api(shared_api: Api, catalog_url: str) -> Api:
    """The module's server, on a database without rows."""
    return shared_api
