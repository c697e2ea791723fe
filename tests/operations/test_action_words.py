"""What actions were about, as `orca_daemon.operations.action_words` says it."""

import pytest

from orca_daemon.operations.action_words import about

JOB = "9c81f4a0-52e4-4d0b-9d3e-0c1f6a7b8e90"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {"file": None, "failed": True, "job_id": JOB, "granule": None},
            "job 9c81f4a0, failed files too",
        ),
        ({"job": JOB, "file": "", "failed": False, "granule": "G"}, "job 9c81f4a0, granule G"),
        ({"why": "S3 is moved", "queues": ["catalog", "recovery"]}, "catalog recovery, S3 is moved"),
        (
            {"ids": [JOB], "most": 5, "queue": "q", "keep_going": True},
            "q, at most 5, ids 9c81f4a0, keep going",
        ),
        ({"job": "op-1", "buckets": {"a": 1}}, 'job op-1, buckets {"a": 1}'),
        ({}, ""),
        (None, ""),
    ],
    ids=["command", "console", "pause", "redrive", "other", "nothing", "null"],
)
def test_only_what_was_chosen_is_said_in_words(document: object, expected: str) -> None:
    assert about(document) == expected
