"""Pages of all lists: in order, without gaps and repetitions, however they are asked for."""

import random
from typing import Any

import pytest

from orca_daemon.console.orca_api import catalog
from orca_daemon.console.orca_api.values import EARLIEST
from tests.console.orca_api.records import CREATED, add_granules, add_reports, execute
from tests.console.orca_api.served import JOBS, Api, served

PAIRS = [(f"C{n % 7}", f"G{n * 7919 % 1_000}") for n in range(1_050)]
IN_ORDER = sorted(set(PAIRS), key=lambda pair: f"{pair[1]}:{pair[0]}".encode())


def granules(body: Any) -> list[tuple[str, str]]:
    return [(granule["collectionId"], granule["id"]) for granule in body["granules"]]


def test_replicas_that_take_turns_and_pages_in_any_order_give_the_same_list(
    api: Api, catalog_url: str
) -> None:
    add_granules(catalog_url, IN_ORDER)
    pages = -(-len(IN_ORDER) // 100)
    expected = [IN_ORDER[100 * page : 100 * page + 100] for page in range(pages)]
    with served(catalog_url) as replica:
        read = [granules((api, replica)[page % 2].catalog(page)) for page in range(pages)]
        assert read == expected
        shuffled = random.Random(7).sample(range(pages), pages)
        assert [granules(replica.catalog(page, startTimestamp=0)) for page in shuffled] == [
            expected[page] for page in shuffled
        ]
    assert [api.catalog(page)["anotherPage"] for page in (0, pages - 1, pages, 10**15)] == [
        True,
        *[False] * 3,
    ]


def test_granules_that_come_between_two_pages_neither_repeat_nor_hide_others(
    api: Api, catalog_url: str
) -> None:
    add_granules(catalog_url, IN_ORDER[100:400])
    first = granules(api.catalog(0))
    add_granules(catalog_url, IN_ORDER[:100])
    second, third = granules(api.catalog(1)), granules(api.catalog(2))
    assert first + second + third == IN_ORDER[100:400]


def test_a_page_far_away_is_found_by_a_survey(
    api: Api, catalog_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_granules(catalog_url, IN_ORDER)
    add_granules(catalog_url, [("other", "G1")], provider="Q")
    surveys: list[dict[int, Any]] = []
    survey = catalog.survey

    def noted(*arguments: Any) -> Any:
        surveys.append(survey(*arguments))
        return surveys[-1]

    monkeypatch.setattr(catalog, "FAR", 300)
    monkeypatch.setattr(catalog, "survey", noted)
    assert granules(api.catalog(8, providerId=["P"])) == IN_ORDER[800:900]
    assert len(surveys) == 1
    assert max(surveys[0]) in range(500, 801)
    # From there on the position is known, as is the page after it.
    assert granules(api.catalog(9, providerId=["P"])) == IN_ORDER[900:1000]
    assert len(surveys) == 1
    of_two = [pair for pair in IN_ORDER if pair[0] in {"C1", "C2", "C3", "C4"}]
    assert granules(api.catalog(4, collectionId=["C1", "C2", "C3", "C4"])) == of_two[400:500]
    assert len(surveys) == 2


def test_granules_far_apart_are_found_by_one_pass_for_many_pages(
    api: Api, catalog_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_granules(catalog_url, IN_ORDER)
    passes: list[int] = []
    look_ahead = catalog.look_ahead

    def noted(*arguments: Any) -> Any:
        passes.append(1)
        return look_ahead(*arguments)

    read_catalog = catalog.read_catalog

    def walk(connection: Any, query: Any, start: Any, limit: float | None = None) -> Any:
        if limit is not None:
            connection.exec_driver_sql("SET LOCAL statement_timeout = '1ms'; SELECT pg_sleep(1)")
        return read_catalog(connection, query, start, limit)

    monkeypatch.setattr(catalog, "read_catalog", walk)
    monkeypatch.setattr(catalog, "look_ahead", noted)
    monkeypatch.setattr(catalog, "ROWS", 300)
    pages = [api.catalog(page, startTimestamp=1) for page in range(12)]
    assert [granules(page) for page in pages] == [IN_ORDER[100 * n : 100 * n + 100] for n in range(12)]
    assert [page["anotherPage"] for page in pages] == [True] * 10 + [False] * 2
    assert len(passes) == 4
    # Plain lists are walked, whatever it takes.
    assert granules(api.catalog(3, endTimestamp=2**53)) == IN_ORDER[300:400]
    assert len(passes) == 4


def test_times_and_providers_choose_granules(api: Api, catalog_url: str) -> None:
    add_granules(catalog_url, [("C", "old")], created=CREATED - 1)
    add_granules(catalog_url, [("C", "now")])
    add_granules(catalog_url, [("C", "new")], created=CREATED + 1, provider="Q")
    chosen = {
        "all": api.catalog(endTimestamp=CREATED + 2),
        "the end is not part": api.catalog(endTimestamp=CREATED),
        "the start is": api.catalog(startTimestamp=CREATED),
        "both": api.catalog(startTimestamp=CREATED, endTimestamp=CREATED + 1),
        "provider": api.catalog(providerId=["Q", "R"]),
        "none": api.catalog(providerId=[]),
        "no collection": api.catalog(collectionId=[]),
        "no granule": api.catalog(granuleId=[]),
        "far ends": api.catalog(startTimestamp=-(2**53), endTimestamp=2**53),
        "beginning of Postgres": api.catalog(startTimestamp=EARLIEST),
        "all filters": api.catalog(
            providerId=["P"], collectionId=["C"], granuleId=["now", "new"], startTimestamp=CREATED
        ),
    }
    assert {name: [granule["id"] for granule in body["granules"]] for name, body in chosen.items()} == {
        "all": ["new", "now", "old"],
        "the end is not part": ["old"],
        "the start is": ["new", "now"],
        "both": ["now"],
        "provider": ["new"],
        "none": [],
        "no collection": [],
        "no granule": [],
        "far ends": ["new", "now", "old"],
        "beginning of Postgres": ["new", "now", "old"],
        "all filters": ["now"],
    }


def test_reports_are_read_in_pages_by_their_order(api: Api, catalog_url: str) -> None:
    job = add_reports(catalog_url, rows=250)
    orders = {
        "orphans": ("keyPath",),
        "phantoms": ("collectionId", "granuleId", "filename", "keyPath"),
        "mismatches": ("collectionId", "granuleId", "filename", "keyPath"),
    }
    for report, order in orders.items():
        pages = [
            api.post(f"{JOBS}/job/{job}/{report}", {"jobId": job, "pageIndex": page}).body
            for page in (0, 1, 2, 3)
        ]
        rows = [row for page in pages for row in page[report]]
        assert [len(page[report]) for page in pages] == [100, 100, 50, 0]
        assert [page["anotherPage"] for page in pages] == [True, True, False, False]
        keys = [tuple(row[name] for name in order) for row in rows]
        assert keys == sorted(keys)
        assert {row["keyPath"] for row in rows} == {f"key-{n}" for n in range(1, 251)}


def test_rows_of_reports_have_orcas_keys(api: Api, catalog_url: str) -> None:
    job = add_reports(catalog_url, rows=2)

    def first(report: str) -> Any:
        rows = api.post(f"{JOBS}/job/0/{report}", {"jobId": job, "pageIndex": 0}).body[report]
        return next(row for row in rows if row["keyPath"] == "key-1")

    assert first("orphans") == {
        "keyPath": "key-1",
        "s3Etag": '"e"',
        "s3FileLastUpdate": CREATED,
        "s3SizeInBytes": 1,
        "s3StorageClass": "GLACIER",
    }
    assert first("phantoms") == {
        "collectionId": "C",
        "granuleId": "G0",
        "filename": "f1",
        "keyPath": "key-1",
        "orcaEtag": '"e"',
        "orcaGranuleLastUpdate": CREATED,
        "orcaSizeInBytes": 1,
        "orcaStorageClass": "GLACIER",
    }
    assert first("mismatches") == {
        "collectionId": "C",
        "granuleId": "G0",
        "filename": "f1",
        "keyPath": "key-1",
        "cumulusArchiveLocation": "protected",
        "orcaEtag": '"e"',
        "s3Etag": '"f"',
        "orcaGranuleLastUpdate": CREATED - 1000,
        "s3FileLastUpdate": CREATED - 1000,
        "orcaSizeInBytes": 1,
        "s3SizeInBytes": 1,
        "orcaStorageClass": "DEEP_ARCHIVE",
        "s3StorageClass": "GLACIER",
        "discrepancyType": "etag, storage_class",
        "comment": None,
    }
    rows = api.post(f"{JOBS}/job/0/mismatches", {"jobId": job, "pageIndex": 0}).body["mismatches"]
    assert "check it by hand" in next(row for row in rows if row["keyPath"] == "key-2")["comment"].lower()


def test_the_totals_of_a_job_are_counted_until_it_has_ended(api: Api, catalog_url: str) -> None:
    ended, running = add_reports(catalog_url, rows=3), add_reports(catalog_url, rows=2)
    execute(catalog_url, "UPDATE orca.reconcile_job SET status_id = 3 WHERE id = %s", (running,))

    def totals() -> list[tuple[int, int]]:
        jobs = api.post(JOBS, {"pageIndex": 0}).body["jobs"]
        return [(job["id"], job["reportTotals"]["orphan"]) for job in jobs]

    assert totals() == [(running, 2), (ended, 3)]
    execute(catalog_url, "DELETE FROM orca.reconcile_orphan_report")
    assert totals() == [(running, 0), (ended, 3)]
    execute(catalog_url, "UPDATE orca.reconcile_job SET last_update = now()")
    assert totals() == [(running, 0), (ended, 0)]


def test_jobs_of_one_time_are_paged_by_their_ids(api: Api, catalog_url: str) -> None:
    execute(
        catalog_url,
        "INSERT INTO orca.reconcile_job "
        "(orca_archive_location, status_id, inventory_creation_time, start_time, last_update, error_message) "
        "SELECT 'a', 4, timestamptz '2026-01-01Z' + n / 120 * interval '1 day', now(), now(), 'why' "
        "FROM generate_series(0, 249) AS n",
    )
    pages = [api.post(JOBS, {"pageIndex": page}).body for page in range(4)]
    assert [job["id"] for page in pages for job in page["jobs"]] == list(range(250, 0, -1))
    assert [page["anotherPage"] for page in pages] == [True, True, False, False]
    assert {(job["status"], job["errorMessage"]) for job in pages[0]["jobs"]} == {("error", "why")}
