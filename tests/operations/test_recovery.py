"""What can be done about a file, as `orca_daemon.operations.recovery` decides."""

import pytest

from orca_daemon.aws.s3copy import ObjectHead
from orca_daemon.operations.recovery import FileState, file_state


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
