"""The facts of copies in the log line of a finished message."""

import json

from orca_daemon.aws.s3copy import Copied, S3Object
from orca_daemon.engine.errors import Reject
from orca_daemon.queues.recovery.telemetry import MOST, AttemptResults, Result

DONE = Copied(size=7, parts=1, skipped=False, by="ETag", seconds=1.0)


def test_a_line_of_many_files_names_those_that_failed() -> None:
    copied = [Result(S3Object("archive", f"{n}"), S3Object("public", f"{n}"), DONE) for n in range(MOST)]
    attempt = AttemptResults(copied)
    attempt.failed(S3Object("archive", "z"), Reject("no bucket is set for .z files"))
    facts = attempt.facts()
    assert (facts["files_copied"], facts["files_failed"]) == (str(MOST), "1")
    reported = json.loads(facts["results"])
    assert len(reported) == MOST
    assert reported[0] == {
        "success": False,
        "source_bucket": "archive",
        "source_key": "z",
        "target_bucket": "",
        "err_msg": "no bucket is set for .z files",
    }


def test_a_copy_that_failed_is_reported_once() -> None:
    source, error = S3Object("archive", "k"), Reject("gone")
    attempt = AttemptResults([Result(source, S3Object("public", "k"), error=error)])
    attempt.failed(source, error)
    assert attempt.facts() == {"target": "s3://public/k", "result": "failed", "error": "gone"}
