"""Messages from JSON objects: defaults, refusals, and the numbers of lines."""

import json
from datetime import UTC, datetime

import pytest

from orca_daemon.operations import messages
from orca_daemon.settings import load
from orca_daemon.settings.buckets import CopyRules
from orca_daemon.wire.status import Grouping
from orca_daemon.wire.wire_model import MalformedError

NOW = datetime(2026, 11, 21, 0, 13, 35, tzinfo=UTC)
UPDATE = {"jobId": "j", "collectionId": "c", "granuleId": "g", "filename": "f"}
ANY_BUCKET = CopyRules.of(load(None, {}, need_queue=False))


def test_a_new_job_gets_times_statuses_and_the_names_of_its_files() -> None:
    job = {
        "jobId": "j",
        "collectionId": "c",
        "granuleId": "g",
        "archiveDestination": "archive",
        "files": [{"keyPath": "d/0.h5", "restoreDestination": "public"}],
    }

    document = json.loads(messages.new_job(NOW, Grouping.QUEUE)(job).body)

    time = document["requestTime"]
    assert datetime.fromisoformat(time) == NOW
    assert document["files"] == [
        {
            "filename": "0.h5",
            "keyPath": "d/0.h5",
            "restoreDestination": "public",
            "s3MultipartChunksizeMb": None,
            "statusId": 1,
            "requestTime": time,
            "lastUpdate": time,
        }
    ]


@pytest.mark.parametrize(("status", "final"), [(1, False), (2, False), (3, True), (4, True)])
def test_only_a_final_status_gets_a_completion_time(status: int, *, final: bool) -> None:
    update = {**UPDATE, "statusId": status, **({"errorMessage": "gone"} if status == 3 else {})}

    document = json.loads(messages.file_status(NOW, Grouping.QUEUE)(update).body)

    assert ("completionTime" in document) is final


def test_a_copy_request_gets_the_target_key_and_the_name_of_its_file() -> None:
    request = {
        "jobId": "j",
        "granuleId": "g",
        "sourceBucket": "archive",
        "sourceKey": "d/0.h5",
        "restoreDestination": "public",
    }

    document = json.loads(messages.copy_request(ANY_BUCKET)(request).body)

    assert (document["targetKey"], document["filename"]) == ("d/0.h5", "0.h5")


def test_a_pointer_to_an_inventory_is_not_an_export_request() -> None:
    with pytest.raises(MalformedError, match="it is a message of another kind"):
        messages.inventory_pointer({"tables_to_query": ["files"]})


def test_blank_lines_count_but_give_no_message() -> None:
    lines = messages.numbered(['{"tables_to_query": ["a"]}\n', "\n", "[]\n"])

    filled = messages.fill(lines, messages.export_request)

    assert json.loads(next(filled).body) == {"tables_to_query": ["a"]}
    with pytest.raises(MalformedError, match="line 3: the body is JSON, but not an object"):
        next(filled)
