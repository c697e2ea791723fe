"""What can be done about a file, as `orca_daemon.operations.recovery` decides."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from orca_daemon.aws.s3copy import ObjectHead
from orca_daemon.operations.errors import NotFoundError
from orca_daemon.operations.recovery import FileState, check_open_files, file_state
from orca_daemon.wire.status import RecoveryStatus
from tests.cli.conftest import connection, destinations, insert_recovery
from tests.operations.conftest import MakeSettings

__all__ = ["connection", "destinations"]
PENDING, STAGED, FAILED, SUCCESS = RecoveryStatus


@pytest.mark.parametrize(
    ("storage", "restore", "expected"),
    [
        ("STANDARD", "", FileState.READY),
        ("GLACIER_IR", "", FileState.READY),
        ("GLACIER", "", FileState.ARCHIVED),
        ("DEEP_ARCHIVE", 'ongoing-request="true"', FileState.RESTORING),
        (
            "DEEP_ARCHIVE",
            'ongoing-request="false", expiry-date="Fri, 21 Dec 2028 00:00:00 GMT"',
            FileState.READY,
        ),
    ],
)
def test_the_head_of_an_object_decides_what_can_be_done(
    storage: str, restore: str, expected: FileState
) -> None:
    assert file_state(ObjectHead(size=1, etag='"x"', storage_class=storage, restore=restore)) is expected


async def test_open_files_are_checked_and_failed_ones_only_counted(
    connection: Connection,
    destinations: None,
    make_settings: MakeSettings,
    database_url: str,
    s3: Any,
    bucket: Callable[[], str],
) -> None:
    archive, reported = bucket(), list[tuple[int, int]]()
    s3.put_object(Bucket=archive, Key="d/0.h5", Body=b"x")
    insert_recovery(connection, "j", PENDING, STAGED, FAILED, SUCCESS, archive=archive)
    settings = make_settings(DATABASE_URL=database_url)

    open_files = await check_open_files(
        settings, "j", progress=lambda done, total: reported.append((done, total))
    )
    with_failed = await check_open_files(settings, "j", failed=True)

    states = [(checked.file.filename, checked.file_state) for checked in open_files.files]
    assert states == [("0.h5", FileState.READY), ("1.h5", FileState.MISSING)]
    assert open_files.left_out == 1
    assert reported == [(1, 2), (2, 2)]
    assert (len(with_failed.files), with_failed.left_out) == (3, 0)
    with pytest.raises(NotFoundError):
        await check_open_files(settings, "unknown")
