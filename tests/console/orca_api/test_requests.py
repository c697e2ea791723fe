"""Bodies of requests: what is accepted, and ORCA's sentences about the rest."""

import json

import pytest

from orca_daemon.console.orca_api import requests
from orca_daemon.console.orca_api.requests import BodyError, parsed

CATALOG = {"pageIndex": 0, "endTimestamp": 1}
WRONG = {
    "no JSON": (requests.JobStatusRequest, b"{", "the body is not JSON"),
    "empty": (requests.JobStatusRequest, b"", "the body is not JSON"),
    "not UTF-8": (requests.JobStatusRequest, b'{"asyncOperationId": "\xff"}', "the body is not JSON"),
    "deep": (requests.JobStatusRequest, b"[" * 200_000, "the body is not JSON"),
    "deep within": (
        requests.JobStatusRequest,
        b'{"asyncOperationId": "j", "x": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
        "the body is not JSON",
    ),
    "too many digits": (
        requests.ReconcileJobsRequest,
        b'{"pageIndex": 1%s}' % (b"0" * 9_999),
        "the body is not JSON",
    ),
    "array": (requests.JobStatusRequest, b"[]", "data must be object"),
    "null": (requests.JobStatusRequest, b"null", "data must be object"),
    "missing": (requests.JobStatusRequest, b"{}", "data must contain ['asyncOperationId'] properties"),
    "two missing": (
        requests.CatalogRequest,
        b'{"providerId": 3}',
        "data must contain ['pageIndex', 'endTimestamp'] properties",
    ),
    "empty id": (
        requests.JobStatusRequest,
        b'{"asyncOperationId": ""}',
        "asyncOperationId must be set to a non-empty value.",
    ),
    "number for text": (
        requests.JobStatusRequest,
        b'{"asyncOperationId": 7}',
        "data.asyncOperationId must be string",
    ),
    "null for text": (
        requests.GranuleStatusRequest,
        b'{"collectionId": "c", "granuleId": "g", "asyncOperationId": null}',
        "data.asyncOperationId must be string",
    ),
    "lone surrogate": (
        requests.JobStatusRequest,
        b'{"asyncOperationId": "\\ud800"}',
        "data.asyncOperationId must be string",
    ),
    "text for number": (
        requests.ReconcileJobsRequest,
        b'{"pageIndex": "1"}',
        "data.pageIndex must be integer",
    ),
    "true for number": (
        requests.ReconcileJobsRequest,
        b'{"pageIndex": true}',
        "data.pageIndex must be integer",
    ),
    "fraction": (requests.ReconcileJobsRequest, b'{"pageIndex": 1.5}', "data.pageIndex must be integer"),
    "NaN": (requests.ReconcileJobsRequest, b'{"pageIndex": NaN}', "data.pageIndex must be integer"),
    "infinity": (requests.ReconcileJobsRequest, b'{"pageIndex": 1e999}', "data.pageIndex must be integer"),
    "negative": (
        requests.ReconcileJobsRequest,
        b'{"pageIndex": -1}',
        "data.pageIndex must be bigger than or equal to 0",
    ),
    "huge": (
        requests.ReportRequest,
        b'{"jobId": 1, "pageIndex": 1e300}',
        "data.pageIndex must be smaller than or equal to 9007199254740992",
    ),
    "huge job": (
        requests.ReportRequest,
        b'{"jobId": 9223372036854775808, "pageIndex": 0}',
        "data.jobId must be smaller than or equal to 9007199254740992",
    ),
    "text for array": (
        requests.CatalogRequest,
        json.dumps({**CATALOG, "granuleId": "g"}).encode(),
        "data.granuleId must be array",
    ),
    "null for array": (
        requests.CatalogRequest,
        json.dumps({**CATALOG, "granuleId": None}).encode(),
        "data.granuleId must be array",
    ),
    "number in array": (
        requests.CatalogRequest,
        json.dumps({**CATALOG, "granuleId": ["g", 1, 2]}).encode(),
        "data.granuleId[1] must be string",
    ),
}


@pytest.mark.parametrize(("kind", "body", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_a_body_that_does_not_fit_is_refused_with_orcas_sentence(
    kind: type[requests.OrcaRequest], body: bytes, sentence: str
) -> None:
    with pytest.raises(BodyError) as raised:
        parsed(body, kind)
    assert str(raised.value) == sentence


def test_whole_floats_are_integers_and_unknown_keys_are_ignored() -> None:
    body = b'{"pageIndex": 3.0, "endTimestamp": 1e3, "limit": null, "endTimestamp": 2e3}'
    asked = parsed(body, requests.CatalogRequest)
    assert asked == requests.CatalogRequest.model_validate({"pageIndex": 3, "endTimestamp": 2000})
