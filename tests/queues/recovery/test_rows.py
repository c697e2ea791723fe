"""The part size of rows of one object."""

import pytest

from orca_daemon.aws.s3copy.plan import MIB
from orca_daemon.queues.recovery.targets import Row, chunk_of
from orca_daemon.wire.status import RecoveryStatus


def row(chunk_mb: int | None) -> Row:
    return Row(
        job_id="op-1",
        collection_id=None,
        granule_id="g",
        filename="f",
        destination="public",
        chunk_mb=chunk_mb,
        status=RecoveryStatus.PENDING,
    )


@pytest.mark.parametrize(
    ("chunks", "chunk"),
    [
        ([], None),
        ([None], None),
        ([0], None),
        ([-3], None),
        ([250], 250 * MIB),
        ([None, 0, 7, 250], 7 * MIB),
        ([2**31 - 1], (2**31 - 1) * MIB),
    ],
)
def test_the_first_row_with_a_part_size_decides(chunks: list[int | None], chunk: int | None) -> None:
    assert chunk_of(row(chunk_mb) for chunk_mb in chunks) == chunk
