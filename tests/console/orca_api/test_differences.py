"""Where the API differs from ORCA on purpose: each row of the table in `docs/orca-api.md` has a test here."""

import re
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from orca_daemon.console.orca_api import catalog
from orca_daemon.console.orca_api.positions import Start
from orca_daemon.local.ports import free_port
from tests.console.orca_api.records import add_granules, add_recovery, add_reports, execute
from tests.console.orca_api.served import JOBS, NOW, Answer, Api, served

PAGE = Path(__file__).parents[3] / "docs" / "orca-api.md"
CATALOG = "/orca_api/catalog/reconcile"
JOB = "/orca_api/recovery/jobs"
GRANULE = "/orca_api/recovery/granules"


def ids(body: Any) -> list[tuple[str, str]]:
    return [(granule["collectionId"], granule["id"]) for granule in body["granules"]]


def filters(api: Api, url: str) -> None:
    add_granules(url, [("A", "shared"), ("A", "own")])
    add_granules(url, [("B", "shared")], provider="Q")
    assert ids(api.catalog(collectionId=["A"])) == [("A", "own"), ("A", "shared")]
    assert ids(api.catalog(collectionId=["A"], granuleId=["shared"])) == [("A", "shared")]
    assert ids(api.catalog(providerId=["Q"])) == [("B", "shared")]


def order_of_the_catalog(api: Api, url: str) -> None:
    # 120 rows of one id, and ids that collations put elsewhere.
    pairs = [(f"C{n:03}", "G") for n in range(120)] + [("C", "g"), ("C", "G-1"), ("C", "G_1"), ("C", "a")]
    add_granules(url, pairs)
    read = [*ids(api.catalog(0)), *ids(api.catalog(1))]
    assert read == sorted(pairs, key=lambda pair: f"{pair[1]}:{pair[0]}".encode())


def order_of_jobs_and_reports(api: Api, url: str) -> None:
    first = add_reports(url, rows=0)
    execute(
        url,
        "INSERT INTO orca.reconcile_job "
        "(orca_archive_location, status_id, inventory_creation_time, start_time, last_update) "
        "SELECT orca_archive_location, status_id, inventory_creation_time, start_time, last_update "
        "FROM orca.reconcile_job CROSS JOIN generate_series(1, 104)",
    )
    pages = [api.post(JOBS, {"pageIndex": page}).body["jobs"] for page in range(2)]
    assert [job["id"] for page in pages for job in page] == list(range(first + 104, first - 1, -1))


def cost_of_a_page(api: Api, url: str) -> None:
    add_granules(url, [("C", f"G{n:04}") for n in range(600)])
    starts: list[Start] = []
    read = catalog.read_catalog

    def noted(connection: Any, query: Any, start: Start, limit: float | None = None) -> Any:
        starts.append(start)
        return read(connection, query, start, limit)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(catalog, "read_catalog", noted)
        for page in range(6):
            api.catalog(page)
    assert [(start.skip, start.after and start.after[0]) for start in starts] == [
        (0, None),
        *((0, f"G{100 * page - 1:04}:C") for page in range(1, 6)),
    ]


def messages_of_errors(api: Api, url: str) -> None:
    # The database reports an error: what ORCA needs is gone.
    execute(url, "ALTER TABLE orca.recovery_status RENAME TO hidden")
    try:
        answer = api.post(JOB, {"asyncOperationId": "secret-id"})
    finally:
        execute(url, "ALTER TABLE orca.hidden RENAME TO recovery_status")
    assert answer.status == 503
    assert not re.search("SELECT|secret-id|recovery_status|psycopg", answer.body["message"])


def negative_page(api: Api, url: str) -> None:
    assert refused(api.post(JOBS, {"pageIndex": -1}))


def large_numbers(api: Api, url: str) -> None:
    assert refused(api.post(f"{JOBS}/job/1/orphans", {"jobId": 2**63, "pageIndex": 0}))
    assert refused(api.post(CATALOG, {"pageIndex": 0, "endTimestamp": 10**30}))


def early_times(api: Api, url: str) -> None:
    add_granules(url, [("C", "G")])
    assert ids(api.catalog(startTimestamp=-(2**53))) == [("C", "G")]
    assert ids(api.catalog(endTimestamp=-(2**53))) == []


def nul(api: Api, url: str) -> None:
    assert api.post(JOB, {"asyncOperationId": "a\0"}).status == 404
    assert api.catalog(granuleId=["a\0"]) == {"anotherPage": False, "granules": []}


def collection_of_another_type(api: Api, url: str) -> None:
    assert refused(api.post(GRANULE, {"collectionId": 7, "granuleId": "G"}))


def no_json(api: Api, url: str) -> None:
    assert refused(api.post(JOB, b"asyncOperationId=1"))


def database_down(api: Api, url: str) -> None:
    with served(f"postgresql://nobody@127.0.0.1:{free_port(0)}/nowhere") as alone:
        assert alone.post(JOB, {"asyncOperationId": "J"}).status == 503


def large_answers(api: Api, url: str) -> None:
    add_recovery(url, "J", "G", {}, status=3)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("orca_daemon.console.orca_api.recoveries.MOST", 0)
        assert api.post(JOB, {"asyncOperationId": "J"}).status == 413


def client_gone(api: Api, url: str) -> None:
    host = urlsplit(api.url)
    with closing(socket.create_connection((host.hostname, host.port))) as client:
        client.sendall(f"POST {JOB} HTTP/1.1\r\nHost: {host.netloc}\r\nContent-Length: 99\r\n\r\n".encode())
    # Nobody waits for the rest of its body; test_a_client_that_goes_away_cancels_its_query has the query.
    assert api.post(CATALOG, {"pageIndex": 0, "endTimestamp": NOW}).status == 200


def refused(answer: Answer) -> bool:
    return answer.status == 400 and answer.body["errorType"] == "BadRequest"


DIFFERENCES: dict[str, Callable[[Api, str], None]] = {
    "Filters of the catalog": filters,
    "Order of the catalog": order_of_the_catalog,
    "Order of jobs and reports": order_of_jobs_and_reports,
    "Cost of a page": cost_of_a_page,
    "Messages of errors": messages_of_errors,
    "Negative `pageIndex`": negative_page,
    "Numbers beyond 2⁵³, on which not all programs that read JSON agree": large_numbers,
    "Times before those that Postgres holds": early_times,
    "NUL in a text": nul,
    "`collectionId` of `recovery/granules` that is no string": collection_of_another_type,
    "A body that is not JSON": no_json,
    "A database that is down": database_down,
    "Large answers": large_answers,
    "A client that goes away": client_gone,
}


@pytest.mark.parametrize(
    "subject", DIFFERENCES, ids=lambda subject: re.sub(r"\W+", "-", subject, flags=re.ASCII)
)
def test_a_difference_is_as_the_page_says(api: Api, catalog_url: str, subject: str) -> None:
    DIFFERENCES[subject](api, catalog_url)


def test_every_difference_on_the_page_has_a_test() -> None:
    _, _, after = PAGE.read_text("utf-8").partition("## Better on purpose")
    table, _, _ = after.partition("What is left as it is")
    assert re.findall(r"^\| (.+?) \|", table, re.MULTILINE)[1:] == list(DIFFERENCES)
