"""What goes wrong is answered as JSON in ORCA's shape, without SQL and without values of the database."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest

from orca_daemon.console.orca_api import catalog, recoveries
from orca_daemon.local.ports import free_port
from tests.console.orca_api.records import add_granules, add_recovery, execute
from tests.console.orca_api.served import JOBS, NOW, Answer, Api, served
from tests.waiting import until

PATHS = {
    "job": "/orca_api/recovery/jobs",
    "granule": "/orca_api/recovery/granules",
    "catalog": "/orca_api/catalog/reconcile",
    "jobs": JOBS,
    "orphans": f"{JOBS}/job/1/orphans",
    "phantoms": f"{JOBS}/job/1/phantoms",
    "mismatches": f"{JOBS}/job/1/mismatches",
}
VALUES: dict[str, Any] = {
    "quote": "'; DROP TABLE orca.granules; --",
    "percent": "%(x)s :job %s {0}",
    "NUL": "a\0b",
    "backslash": '\\"{},NULL',
    "long": "x" * 300_000,
    "astral": "\U0001f6f0\uffff",
    "empty": "",
}
SECRETS = re.compile(r"SELECT|INSERT|psycopg|sqlalchemy|Traceback|postgresql://|orca\.\w+", re.IGNORECASE)


def is_error(answer: Answer, status: int) -> bool:
    """Whether it is an error in ORCA's shape that shows nothing of the inside."""
    body = answer.body
    return (
        answer.status == status == body["httpStatus"]
        and answer.content_type == "application/json"
        and body.keys() == {"errorType", "httpStatus", "requestId", "message"}
        and not SECRETS.search(body["message"].replace(VALUES["quote"], ""))
    )


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_hostile_texts_are_ids_of_nothing(api: Api, catalog_url: str, value: str) -> None:
    add_granules(catalog_url, [("C", "G")])
    job = api.post(PATHS["job"], {"asyncOperationId": value})
    assert is_error(job, 404 if value else 400), job
    granule = api.post(
        PATHS["granule"], {"collectionId": value, "granuleId": value, "asyncOperationId": value}
    )
    assert is_error(granule, 404), granule
    for name in ("providerId", "collectionId", "granuleId"):
        assert api.catalog(0, **{name: [value]}) == {"anotherPage": False, "granules": []}
        assert len(api.catalog(0, **{name: [value, "P", "C", "G"]})["granules"]) == 1


def test_texts_that_only_look_hostile_are_found(api: Api, catalog_url: str) -> None:
    named = [value for value in VALUES.values() if "\0" not in value and len(value) < 1_000]
    add_granules(catalog_url, [(value or "empty", value) for value in named])
    add_granules(catalog_url, [("C", "other")], provider=VALUES["quote"])
    for value in named:
        found = api.catalog(granuleId=[value], collectionId=[value or "empty"])["granules"]
        assert [(granule["collectionId"], granule["id"]) for granule in found] == [(value or "empty", value)]
    assert [g["id"] for g in api.catalog(providerId=[VALUES["quote"]])["granules"]] == ["other"]


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())
def test_hostile_bodies_are_bad_requests(api: Api, path: str) -> None:
    bodies = [
        b"",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"pageIndex": ' + b"9" * 5_000 + b"}",
        b'{"pageIndex": NaN, "jobId": NaN, "endTimestamp": NaN, "asyncOperationId": NaN, "granuleId": 1}',
        b'{"pageIndex": -Infinity, "jobId": 1e400, "endTimestamp": 1e400}',
        b'{"pageIndex": 1e308, "jobId": 1, "endTimestamp": 1, "asyncOperationId": "\\ud800"}',
        b'{"pageIndex": {}, "jobId": [], "endTimestamp": "1", "asyncOperationId": {}}',
        b"null",
        b'"text"',
        b"42",
    ]
    for body in bodies:
        answer = api.post(path, body)
        assert is_error(answer, 400), (body[:80], answer)


def test_numbers_at_the_ends_of_their_range_are_answered(api: Api) -> None:
    last = 2**53
    for job in (-(2**53), 0, 2**53):
        answer = api.post(PATHS["phantoms"], {"jobId": job, "pageIndex": last})
        assert answer.body == {"jobId": job, "anotherPage": False, "phantoms": []}
    assert api.catalog(last, startTimestamp=2**53)["granules"] == []


def test_what_is_no_path_or_no_post_is_json_too(api: Api) -> None:
    connection = api.connect()
    for method, path, status in (
        ("GET", "/orca_api/recovery/jobs", 405),
        ("PUT", "/catalog/reconcile", 405),
        ("POST", "/orca_api/recovery", 404),
        ("POST", "/orca_api", 404),
        ("POST", "/orca_api/../recovery/jobs", 400),
        ("POST", f"//{JOBS}/job/%00/orphans", 400),
    ):
        connection.request(method, path, b"{}" if method == "POST" else None)
        response = connection.getresponse()
        answer = Answer(response.status, response.headers["Content-Type"], json.loads(response.read()))
        assert is_error(answer, status), (method, path, answer)
        assert response.headers["Allow"] == ("POST" if status == 405 else None)
    connection.close()


def test_a_body_beyond_the_limit_is_refused(api: Api) -> None:
    asked = {"pageIndex": 0, "endTimestamp": 1, "granuleId": ["x" * 100] * 70_000}
    answer = api.post(PATHS["catalog"], asked)
    assert is_error(answer, 413), answer


def test_answers_have_a_largest_size(api: Api, catalog_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recoveries, "MOST", 2)
    monkeypatch.setattr(catalog, "MOST_FILES", 2)
    add_granules(catalog_url, [("C", "G")], files=3)
    add_recovery(catalog_url, "J", "G", {"a": 1, "b": 1, "c": 1}, status=1)
    for granule in ("H", "I"):
        add_recovery(catalog_url, "J", granule, {"a": 1}, status=1)
    assert is_error(api.post(PATHS["job"], {"asyncOperationId": "J"}), 413)
    assert is_error(api.post(PATHS["granule"], {"collectionId": "C", "granuleId": "G"}), 413)
    assert is_error(api.post(PATHS["catalog"], {"pageIndex": 0, "endTimestamp": NOW}), 413)


def test_a_slow_statement_ends_at_its_time_limit(catalog_url: str) -> None:
    with served(catalog_url, statement_timeout=0.2) as api, locked(catalog_url):
        answer = api.post(PATHS["catalog"], {"pageIndex": 0, "endTimestamp": NOW})
        assert is_error(answer, 504), answer


def test_a_database_that_is_down_is_503() -> None:
    with served(f"postgresql://nobody:secret@127.0.0.1:{free_port(0)}/nowhere") as api:
        for path in PATHS.values():
            asked = {
                "pageIndex": 0,
                "endTimestamp": 1,
                "jobId": 1,
                "asyncOperationId": "j",
                "collectionId": "c",
            }
            kind = [] if path == PATHS["catalog"] else "g"
            answer = api.post(path, {**asked, "granuleId": kind, "collectionId": kind})
            assert is_error(answer, 503), answer
            assert "secret" not in answer.body["message"]


def test_a_client_that_goes_away_cancels_its_query(api: Api, catalog_url: str) -> None:
    waiting = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    host = urlsplit(api.url)
    body = b'{"asyncOperationId": "J"}'
    with locked(catalog_url):
        with closing(socket.create_connection((host.hostname, host.port))) as client:
            head = (
                f"POST /recovery/jobs HTTP/1.1\r\nHost: {host.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            client.sendall(head.encode() + body)
            until(lambda: execute(catalog_url, waiting) == [(1,)])
        # The lock's own time limit is ten seconds.
        until(lambda: execute(catalog_url, waiting) == [(0,)], patience=8)
    assert api.post(PATHS["job"], {"asyncOperationId": "J"}).status == 404


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Nobody can read the catalog or recoveries."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE orca.granules, orca.recovery_job IN ACCESS EXCLUSIVE MODE")
        yield
