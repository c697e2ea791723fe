"""`/openapi.json` describes every path with its body, answer and errors, and answers are what it says."""

import json
from typing import Any

import pytest
from pydantic import BaseModel

from orca_daemon.console.orca_api import answers
from tests.console.orca_api.records import add_granules, add_recovery, add_reports
from tests.console.orca_api.served import JOBS, Api

MODELS: dict[str, type[BaseModel]] = {
    "/orca_api/recovery/jobs": answers.JobStatus,
    "/orca_api/recovery/granules": answers.GranuleStatus,
    "/orca_api/catalog/reconcile": answers.CatalogPage,
    JOBS: answers.ReconcileJobsPage,
    f"{JOBS}/job/{{jobid}}/orphans": answers.Orphans,
    f"{JOBS}/job/{{jobid}}/phantoms": answers.Phantoms,
    f"{JOBS}/job/{{jobid}}/mismatches": answers.Mismatches,
}


@pytest.fixture
def page(api: Api) -> Any:
    connection = api.connect()
    connection.request("GET", "/openapi.json")
    content = json.loads(connection.getresponse().read())
    connection.close()
    return content


def test_every_path_is_described_with_its_body_answer_and_errors(page: Any) -> None:
    described = {path: item["post"] for path, item in page["paths"].items() if "ORCA" in item["post"]["tags"]}
    assert described.keys() == MODELS.keys()
    for path, operation in described.items():
        schemas = {
            status: response["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            for status, response in operation["responses"].items()
        }
        errors = {"400", "413", "503", "504", "default"} | ({"404"} if "/recovery/" in path else set())
        assert schemas == {"200": MODELS[path].__name__, **dict.fromkeys(errors, "OrcaError")}
        assert operation["requestBody"]["content"]["application/json"]["schema"]["required"]
    models = {"OrcaError", *(model.__name__ for model in MODELS.values())}
    assert models <= page["components"]["schemas"].keys()


def test_answers_are_what_the_page_describes(api: Api, catalog_url: str) -> None:
    add_granules(catalog_url, [("C", "G")], files=2)
    add_recovery(catalog_url, "J", "G", {"a": 4, "b": 3}, status=3)
    job = add_reports(catalog_url, rows=2)
    asked = {
        "asyncOperationId": "J",
        "collectionId": "C",
        "granuleId": "G",
        "jobId": job,
        "pageIndex": 0,
        "endTimestamp": 2**52,
    }
    for path, model in MODELS.items():
        body = asked if path != "/orca_api/catalog/reconcile" else {"pageIndex": 0, "endTimestamp": 2**52}
        answer = api.post(path.format(jobid=job), body)
        assert answer.status == 200
        assert model.model_validate(answer.body).model_dump(by_alias=True, exclude_unset=True) == answer.body
    error = api.post("/orca_api/recovery/jobs", {})
    assert answers.OrcaError.model_validate(error.body).http_status == error.status
