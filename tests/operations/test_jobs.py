"""Pages of recovery jobs, and one job with its files, from a real database."""

import pytest
from sqlalchemy import Connection

from orca_daemon.db.jobs import Chosen
from orca_daemon.operations.errors import NotFoundError
from orca_daemon.operations.jobs import list_jobs, read_job
from orca_daemon.settings import Settings
from orca_daemon.wire.status import RecoveryStatus
from tests.cli.conftest import connection, insert_recovery
from tests.operations.conftest import MakeSettings

__all__ = ["connection"]
PENDING, STAGED, FAILED, SUCCESS = RecoveryStatus


@pytest.fixture
def settings(make_settings: MakeSettings, database_url: str) -> Settings:
    return make_settings(DATABASE_URL=database_url)


async def test_a_page_names_the_job_after_which_the_next_one_begins(
    connection: Connection, settings: Settings
) -> None:
    for age, job_id in enumerate(("newest", "middle", "oldest")):
        insert_recovery(connection, job_id, SUCCESS, age=age)

    first = await list_jobs(settings, Chosen(), limit=2)
    second = await list_jobs(settings, Chosen(), limit=2, after=first.next)

    assert [job.job_id for job in first.jobs] == ["newest", "middle"]
    assert first.next == "middle"
    assert [job.job_id for job in second.jobs] == ["oldest"]
    assert second.next is None


async def test_a_page_after_an_unknown_job_is_an_error(connection: Connection, settings: Settings) -> None:
    with pytest.raises(NotFoundError, match="there is no job 'unknown'"):
        await list_jobs(settings, Chosen(), limit=2, after="unknown")


@pytest.mark.parametrize(("limit", "files", "more"), [(0, 3, False), (3, 3, False), (2, 2, True)])
async def test_a_job_has_at_most_so_many_files(
    connection: Connection, settings: Settings, limit: int, files: int, *, more: bool
) -> None:
    insert_recovery(connection, "j", PENDING, STAGED, FAILED)

    details = await read_job(settings, "j", limit=limit)

    assert (len(details.files), details.more_files) == (files, more)


async def test_an_unknown_job_or_granule_is_an_error(connection: Connection, settings: Settings) -> None:
    insert_recovery(connection, "j", SUCCESS, granule="g")
    with pytest.raises(NotFoundError, match=r"no job 'unknown'$"):
        await read_job(settings, "unknown")
    with pytest.raises(NotFoundError, match="no job 'j' with this granule"):
        await read_job(settings, "j", granule="unknown")
