"""Cumulus's side, as its source calls ORCA's read API (contract 17), against a real server and database."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.console.orca_api.records import add_granules, add_recovery, add_reports
from tests.console.orca_api.served import Answer, Api

NO_GRANULES = {"anotherPage": False, "granules": []}


class Cumulus:
    """What Cumulus does with `orca_api_uri`."""

    def __init__(self, api: Api, stage: str = "/orca_api") -> None:
        self._api, self._stage = api, stage

    def recovery_status(self, collection: str, granule: str) -> str | None:
        """`packages/api/lib/orca.js`: the recovery status of a granule."""
        asked = {"granuleId": granule, "collectionId": collection}
        answer = self._api.post(f"{self._stage}/recovery/granules", asked)
        statuses = [file["status"] for file in answer.body["files"]] if answer.status == 200 else []
        if not statuses:
            return None
        if all(status == "success" for status in statuses):
            return "completed"
        return "running" if any(status not in {"success", "failed"} for status in statuses) else "failed"

    def proxied(self, path: str, body: object) -> tuple[str, Any]:
        """`packages/api/endpoints/orca.js`: the path begins with a slash, and one is put before it."""
        answer = self._api.post(f"{self._stage}/{path}", body)
        if answer.status == 200:
            return "ok", answer.body
        return ("not found" if answer.status == 404 else "bad request"), json.dumps(answer.body)

    def granules(self, **filters: object) -> Iterator[tuple[str, str]]:
        """`packages/api/lib/ORCASearchCatalogQueue.js`: pages until `anotherPage` is false."""
        for page in itertools.count():
            asked = {"pageIndex": page, "endTimestamp": 1_800_000_000_000, **filters}
            body = self._api.post(f"{self._stage}/catalog/reconcile", asked).body
            for granule in body["granules"]:
                assert {"providerId", "createdAt"} < granule.keys()
                for file in granule["files"]:
                    assert {"keyPath", "cumulusArchiveLocation", "orcaArchiveLocation"} < file.keys()
                yield granule["id"], granule["collectionId"]
            if not body["anotherPage"]:
                return


def compared(own: list[tuple[str, str]], orca: list[tuple[str, str]]) -> dict[str, int]:
    """`orca-backup-reconciliation-report.js`: one pass over two streams, compared as JavaScript does."""
    counts = {"both": 0, "only cumulus": 0, "only orca": 0}
    left, right = [(f"{g}:{c}".encode("utf-16-be")) for g, c in own], [
        f"{g}:{c}".encode("utf-16-be") for g, c in orca
    ]  # fmt: skip
    while left and right:
        if left[0] == right[0]:
            left.pop(0), right.pop(0)
            counts["both"] += 1
        elif left[0] < right[0]:
            left.pop(0)
            counts["only cumulus"] += 1
        else:
            right.pop(0)
            counts["only orca"] += 1
    counts["only cumulus"] += len(left)
    counts["only orca"] += len(right)
    return counts


@pytest.mark.parametrize("stage", ["/orca_api", "", "/orca"], ids=["stage", "root", "old-stage"])
def test_the_status_of_a_recovery_is_what_cumulus_makes_of_its_files(
    api: Api, catalog_url: str, stage: str
) -> None:
    add_recovery(catalog_url, "J1", "done", {"a": 4, "b": 4}, status=4)
    add_recovery(catalog_url, "J2", "half", {"a": 4, "b": 2}, status=2)
    add_recovery(catalog_url, "J3", "none", {}, status=3)
    # ORCA says "error" where Cumulus knows "failed": such a recovery shows as running (contract 17).
    add_recovery(catalog_url, "J4", "lost", {"a": 4, "b": 3}, status=3)
    cumulus = Cumulus(api, stage)
    shown = {name: cumulus.recovery_status("C", name) for name in ("done", "half", "none", "lost", "unknown")}
    assert shown == {"done": "completed", "half": "running", "none": None, "lost": "running", "unknown": None}


def test_requests_that_cumulus_passes_on_have_two_slashes_and_get_its_three_outcomes(
    api: Api, catalog_url: str
) -> None:
    add_recovery(catalog_url, "J", "G", {"f": 2}, status=2)
    cumulus = Cumulus(api)
    outcome, body = cumulus.proxied("/recovery/jobs", {"asyncOperationId": "J"})
    assert (outcome, body["jobStatusTotals"]["staged"]) == ("ok", 1)
    outcome, text = cumulus.proxied("/recovery/jobs", {"asyncOperationId": "other"})
    assert (outcome, json.loads(text)["message"]) == (
        "not found",
        "No granules found for job id 'other'.",
    )
    outcome, text = cumulus.proxied("/recovery/jobs", {})
    assert (outcome, json.loads(text)["message"]) == (
        "bad request",
        "data must contain ['asyncOperationId'] properties",
    )


def test_the_backup_report_of_cumulus_finds_each_granule_in_the_merged_order(
    api: Api, catalog_url: str
) -> None:
    # Orders in which collations, the byte order, and an order by (id, collection) differ.
    names = ["G", "G.1", "G-1", "G:1", "g", "G_1", "É", "G1", "G10", "G2", "a b", "ä"]
    pairs = [(f"C{n % 3}", f"{name}{n // 3}" if n else name) for n, name in enumerate(names * 40)]
    pairs = [*sorted(set(pairs)), ("C9", "G"), ("C9", "G.1"), ("C9", "G-1")]
    add_granules(catalog_url, pairs)
    own = sorted(
        [(granule, collection) for collection, granule in pairs],
        key=lambda pair: f"{pair[0]}:{pair[1]}".encode("utf-16-be"),
    )
    held = list(Cumulus(api).granules())
    assert held == own
    assert compared(own, held) == {"both": len(own), "only cumulus": 0, "only orca": 0}
    only = [pair for pair in own if pair[1] in {"C1", "C9"}]
    assert list(Cumulus(api).granules(collectionId=["C9", "C1", "C1", "nowhere"])) == only
    few = [pair for pair in own if pair[0] in {"G", "G.1", "G-1"}]
    assert list(Cumulus(api).granules(granuleId=["G-1", "G", "G.1", "x"])) == few


@pytest.mark.parametrize(
    "path",
    [
        "/orca_api/{}",
        "/orca_api/{}/",
        "//orca_api//{}//",
        "/{}",
        "/{}/",
        "//{}",
        "/orca/{}/",
    ],
    ids=["plain", "trailing", "doubled", "root", "root-trailing", "root-doubled", "old-stage"],
)
def test_every_spelling_of_a_path_reaches_the_same_answer(api: Api, path: str) -> None:
    asked = {"pageIndex": 0, "endTimestamp": 1}
    internal = "orca/datamanagement/reconciliation/internal/jobs"
    assert api.post(path.format("catalog/reconcile"), asked).body == NO_GRANULES
    assert api.post(path.format(internal), asked).body == {"anotherPage": False, "jobs": []}
    for report in ("orphans", "phantoms", "mismatches"):
        answer = api.post(path.format(f"{internal}/job/7/{report}"), {"jobId": 8, "pageIndex": 0})
        assert answer.body == {"jobId": 8, "anotherPage": False, report: []}


def test_orcas_own_integration_tests_get_their_exact_bodies(api: Api, catalog_url: str) -> None:
    add_recovery(catalog_url, "J", "G", {"a": 1, "b": 3}, status=1)
    answer = api.post("/orca_api/recovery/jobs/", {"asyncOperationId": "J"})
    assert answer == Answer(
        200,
        "application/json",
        {
            "asyncOperationId": "J",
            "jobStatusTotals": {"pending": 1, "staged": 0, "success": 0, "error": 0},
            "granules": [{"collectionId": "C", "granuleId": "G", "status": "pending"}],
        },
    )
    answer = api.post("/orca_api/recovery/granules/", {"collectionId": "C", "granuleId": "G"})
    assert answer.body == {
        "collectionId": "C",
        "granuleId": "G",
        "asyncOperationId": "J",
        "requestTime": 1_700_000_000_000,
        "files": [
            {
                "fileName": "b",
                "restoreDestination": "protected",
                "status": "error",
                "errorMessage": "AccessDenied",
            },
            {"fileName": "a", "restoreDestination": "protected", "status": "pending"},
        ],
    }
    assert api.catalog() == NO_GRANULES
    add_granules(catalog_url, [("C", "G")], files=2)
    granule = api.catalog()["granules"][0]
    assert granule == {
        "providerId": "P",
        "collectionId": "C",
        "id": "G",
        "createdAt": 1_700_000_000_000,
        "executionId": "execution",
        "ingestDate": 1_700_000_000_001,
        "lastUpdate": 1_700_000_000_002,
        "files": granule["files"],
    }
    assert min(granule["files"], key=lambda file: str(file["name"])) == {
        "name": "file1",
        "cumulusArchiveLocation": "protected",
        "orcaArchiveLocation": "archive",
        "keyPath": "0d61f8370cad1d412f80b84d143e1257G1",
        "sizeBytes": 5,
        "hash": None,
        "hashType": None,
        "storageClass": "DEEP_ARCHIVE",
        "version": "v",
    }
    job = add_reports(catalog_url, rows=2)
    jobs = api.post("/orca_api/orca/datamanagement/reconciliation/internal/jobs/", {"pageIndex": 0})
    assert jobs.body == {
        "anotherPage": False,
        "jobs": [
            {
                "id": job,
                "orcaArchiveLocation": "archive",
                "status": "success",
                "inventoryCreationTime": 1_700_000_000_000,
                "lastUpdate": 1_700_000_000_005,
                "errorMessage": None,
                "reportTotals": {"orphan": 2, "phantom": 2, "catalogMismatch": 2},
            }
        ],
    }
