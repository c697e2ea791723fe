"""What an operator must be able to read: what waits and why, who did what, and what to do next."""

from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape

import pytest

from orca_daemon.console import action_words
from orca_daemon.console.pages.recoveries import total
from orca_daemon.db.jobs import File
from orca_daemon.operations.advice import advice
from orca_daemon.operations.recovery import CheckedFile, FileState
from orca_daemon.wire.status import RecoveryStatus
from tests.console.conftest import Console
from tests.console.test_recoveries import execute, jobs_of
from tests.hostile import unplant

_NOW = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _empty(console: Console) -> Iterator[None]:
    yield
    unplant(console.database_url)
    execute(console, "DELETE FROM collections")


def _text(console: Console, path: str) -> str:
    return unescape(console.browser().get(path).text)


def test_a_pending_file_of_a_paused_queue_is_not_blamed_on_s3(console: Console) -> None:
    execute(
        console,
        """
        INSERT INTO recovery_job VALUES ('j', 'c', 'g', 'b', 1, now(), NULL);
        INSERT INTO recovery_file
        SELECT 'j', 'c', 'g', 'f' || n, 'k' || n, NULL, 't', 1, NULL, now(), now(), NULL
        FROM generate_series(1, 2) AS n;
        INSERT INTO orca_daemon_restore
        SELECT 'j', 'c', 'g', 'f' || n, 'b', 'k' || n, 1, 'ask', 'Bulk', now(), CASE n WHEN 1 THEN now() END,
            NULL, NULL, 'r'
        FROM generate_series(1, 2) AS n;
        INSERT INTO orca_daemon_control VALUES ('recovery', true, 'ben', 'the bucket moves', now());
        """,
    )
    page = _text(console, "/recoveries/job?id=j")
    assert "The queue <bdi>recovery</bdi> has been paused by <bdi>ben</bdi> since" in page
    assert "the bucket moves" in page
    assert "1 file pending: S3 has not been asked for the restore yet" in page
    assert "1 file pending: requested; S3 restores the object, or its copy waits in a queue" in page
    assert "still restores" not in page
    execute(console, "UPDATE recovery_file SET status_id = 4; UPDATE recovery_job SET status_id = 4")
    assert "has been paused" not in _text(console, "/recoveries/job?id=j")


def test_the_timeline_says_who_recovered_a_job(console: Console) -> None:
    execute(
        console,
        """
        INSERT INTO recovery_job VALUES ('j', 'c', 'g', 'b', 4, now(), now());
        INSERT INTO orca_daemon_action
        SELECT gen_random_uuid(), now(), who, what, filter::jsonb, 1, 3, now(), now(), NULL, NULL
        FROM (VALUES
            ('ana', 'recover', '{"job_id": "j", "failed": true}'),
            ('ben', 'recover', '{"job": "j", "file": "f"}'),
            ('eve', 'recover', '{"job": "other"}'), ('dan', 'pause', '{"job": "j"}')
        ) AS action (who, what, filter);
        """,
    )
    page = _text(console, "/recoveries/job?id=j")
    assert "ana recovered its open and failed files: 3 copies requested" in page
    assert "ben recovered file f: 3 copies requested" in page
    assert "eve recovered" not in page
    assert "dan recovered" not in page


@pytest.mark.parametrize("failed", [1, 20_001], ids=["few failed", "many failed"])
def test_recoveries_that_are_not_copied_are_one_list(console: Console, failed: int) -> None:
    execute(
        console,
        f"""
        INSERT INTO recovery_job
        SELECT 'job' || n, 'c' || n % 2, 'g', 'b', n, now() - n * interval '1 s', now()
        FROM generate_series(1, 4) AS n;
        INSERT INTO recovery_file
        SELECT 'job3', 'c1', 'g', 'f' || n, 'k', NULL, 't', 3, 'lost', now(), now(), now()
        FROM generate_series(1, {failed}) AS n
        """,
    )
    assert jobs_of(_text(console, "/recoveries?status=not_copied")) == ["job1", "job2", "job3"]
    assert jobs_of(_text(console, "/recoveries?status=not_copied&collection=c1")) == ["job1", "job3"]
    assert jobs_of(_text(console, "/recoveries?status=failed")) == ["job3"]


def test_collections_are_offered_and_named_if_none_matches(console: Console) -> None:
    execute(
        console, "INSERT INTO collections VALUES ('MOD09GQ___006', 'MOD09GQ', '006'), ('VNP___1', 'VNP', '1')"
    )
    page = _text(console, "/recoveries?collection=mod09gq")
    assert '<option value="VNP___1">' in page
    assert page.count("/recoveries?collection=MOD09GQ___006") == 1
    assert "collection=VNP" not in page


def test_the_number_of_all_is_never_lower_than_what_is_shown() -> None:
    assert [total(31, 37), total(124, 3), total(0, 5)] == [
        "about 37 granules in all",
        "about 120 granules in all",
        "",
    ]
    assert total(124, 124) == "about 124 granules in all"


def test_the_letter_of_a_file_that_is_copied_since_says_so_and_links_to_its_recovery(
    console: Console,
) -> None:
    execute(
        console,
        """
        INSERT INTO recovery_job VALUES ('j', 'c', 'g', 'b', 4, now(), now());
        INSERT INTO recovery_file VALUES ('j', 'c', 'g', 'f', 'a/k', NULL, 't', 4, NULL, now(), now(), now());
        INSERT INTO orca_daemon_dead_letter
            (id, original_id, queue, reason, facts, dead_lettered_at)
        SELECT id, id, 'recovery', 'lost', facts::jsonb, now() + age
        FROM (VALUES
            ('named', '{"job_id": "j", "granule_id": "g", "filename": "f"}', interval '-1 h'),
            ('event', '{"job_id": "j, other", "source": "s3://b/a/k"}', interval '-1 h'),
            ('newer', '{"job_id": "j", "granule_id": "g", "filename": "f"}', interval '1 h'),
            ('report', '{"job": "7"}', interval '-1 h')
        ) AS letter (id, facts, age)
        """,
    )
    pages = {
        name: _text(console, f"/dead-letters/letter?id={name}")
        for name in ("named", "event", "newer", "report")
    }
    assert {name: "Its file has been copied since" in page for name, page in pages.items()} == {
        "named": True,
        "event": True,
        "newer": False,
        "report": False,
    }
    assert "orca-daemon dlq delete recovery named" in pages["named"]
    assert 'href="/recoveries/job?id=other"' in pages["event"]
    assert 'href="/reconciliation/job?id=7"' in pages["report"]


def test_an_action_is_told_in_the_words_of_its_form() -> None:
    by_command = {"job_id": "j", "granule": None, "file": None, "failed": True}
    by_console = {"job": "j", "granule": "", "file": "", "failed": True}
    words = [("Recovery", "j"), ("Files", "with those that failed")]
    assert action_words.chosen("recover", by_command) == action_words.chosen("recover", by_console) == words
    paused = {"why": "it moves", "queues": ["catalog", "recovery"]}
    assert action_words.chosen("pause", paused) == [("Queue", "catalog, recovery"), ("Why", "it moves")]
    assert action_words.result("recover", {"posted": 3, "failed": 0}) == [
        ("copies requested", "3"),
        ("not requested", "0"),
    ]
    assert action_words.result("pause", {"changed": ["catalog"]}) == [("changed", "catalog")]
    assert action_words.places("recover", by_command) == [("The recovery", "/recoveries/job?id=j")]
    assert action_words.means("recover")


def _checked(state: FileState, status: RecoveryStatus) -> CheckedFile:
    file = File(
        collection_id="c",
        granule_id="g 1",
        filename="f",
        status=status,
        error_message=None,
        request_time=_NOW,
        last_update=_NOW,
        completion_time=None,
        archive_destination="b",
        key_path="k",
        restore_destination="t",
        multipart_chunksize_mb=None,
    )
    return CheckedFile(file, state)


def test_a_preview_says_what_to_do_for_each_state() -> None:
    states = (FileState.READY, FileState.ARCHIVED, FileState.MISSING)
    found = advice("j", [_checked(state, RecoveryStatus.PENDING) for state in states])
    names = "--job j --collection c --granule 'g 1' --filename f --status failed --error 'the object is gone'"
    assert [each.command for each in found] == [
        "orca-daemon restore 'g 1' --collection c",
        f"orca-daemon send file-status {names}",
    ]
    (gone,) = advice("j", [_checked(FileState.MISSING, RecoveryStatus.FAILED)])
    assert gone.command == "orca-daemon catalog show s3://b/k"
