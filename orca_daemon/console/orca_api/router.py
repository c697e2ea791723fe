"""The seven paths of ORCA's read API."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from orca_daemon.console.context import Context
from orca_daemon.console.orca_api import answers, catalog, requests
from orca_daemon.console.orca_api.client import unless_gone
from orca_daemon.console.orca_api.errors import answer_to
from orca_daemon.console.orca_api.pages import pages_of
from orca_daemon.console.orca_api.recoveries import granule_status, job_status
from orca_daemon.console.orca_api.reports import read_report, report_query
from orca_daemon.console.reader import Reader

R = TypeVar("R", bound=requests.OrcaRequest)
JobId = Annotated[
    str, Path(description="not read: the body's counts", pattern=r"^[^\x00-\x1f\x7f/\\.\ufffd]+$")
]

_JOBS = "/orca/datamanagement/reconciliation/internal/jobs"
_REPORTS = _JOBS + "/job/{jobid}"
_CLIENT_CLOSED = 499
"""What nginx logs; nobody reads this answer."""
_ERRORS: dict[int | str, str] = {
    400: "The body does not match its schema.",
    404: "There is no such recovery.",
    413: "The body, or the answer, is too large.",
    503: "The database cannot be read now.",
    504: "The database did not answer in time.",
    "default": "Any other error, such as a token that is missing.",
}


class OrcaRoute(APIRoute):
    """A path whose errors are JSON in ORCA's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of the path, with its errors answered."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except ClientDisconnect:
                return Response(status_code=_CLIENT_CLOSED)
            except Exception as error:
                if (answer := answer_to(error)) is None:
                    raise
                return answer

        return handled


router = APIRouter(route_class=OrcaRoute, tags=["ORCA"])


def _documented(
    body: type[requests.OrcaRequest], answer: type[answers.OrcaAnswer], *, found: bool = False
) -> dict[str, Any]:
    """What `/openapi.json` says of a path; `found` is whether 404 is one of its answers."""
    errors = {status: text for status, text in _ERRORS.items() if found or status != 404}  # noqa: PLR2004
    content = {"application/json": {"schema": requests.body_schema(body)}}
    return {
        "response_model": answer,
        "responses": {
            status: {"model": answers.OrcaError, "description": text} for status, text in errors.items()
        },
        "openapi_extra": {"requestBody": {"required": True, "content": content}},
    }


async def _body(request: Request, kind: type[R]) -> R:
    """The body, whatever content type it claims, as in ORCA; `security.limits` has limited it before."""
    return requests.parsed(await request.body(), kind)


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json")


@router.post("/recovery/jobs", **_documented(requests.JobStatusRequest, answers.JobStatus, found=True))
async def recovery_jobs(request: Request, context: Context) -> Response:
    """Status of a recovery job, and of each of its granules."""
    asked = await _body(request, requests.JobStatusRequest)
    return _json(await unless_gone(request, context.reader.read(job_status, asked)))


@router.post(
    "/recovery/granules", **_documented(requests.GranuleStatusRequest, answers.GranuleStatus, found=True)
)
async def recovery_granules(request: Request, context: Context) -> Response:
    """Status of one granule's recovery, and of each of its files."""
    asked = await _body(request, requests.GranuleStatusRequest)
    return _json(await unless_gone(request, context.reader.read(granule_status, asked)))


@router.post("/catalog/reconcile", **_documented(requests.CatalogRequest, answers.CatalogPage))
async def catalog_reconcile(request: Request, context: Context) -> Response:
    """A page of the catalog: 100 granules with their files, in the order of `id:collectionId` by bytes."""
    asked = await _body(request, requests.CatalogRequest)
    query = catalog.query_of(asked)
    reading = pages_of(request).of_catalog(context.reader, query, asked.page_index)
    return _json(await unless_gone(request, reading))


@router.post(_JOBS, **_documented(requests.ReconcileJobsRequest, answers.ReconcileJobsPage))
async def reconciliation_jobs(request: Request, context: Context) -> Response:
    """A page of reconciliation jobs, the newest inventory first."""
    asked = await _body(request, requests.ReconcileJobsRequest)
    reading = pages_of(request).of_jobs(context.reader, asked.page_index)
    return _json(await unless_gone(request, reading))


@router.post(f"{_REPORTS}/orphans", **_documented(requests.ReportRequest, answers.Orphans))
async def orphans(request: Request, context: Context, jobid: JobId) -> Response:  # noqa: ARG001  the body's counts
    """A page of the objects that the catalog does not have."""
    return await _report(request, context.reader, "orphans")


@router.post(f"{_REPORTS}/phantoms", **_documented(requests.ReportRequest, answers.Phantoms))
async def phantoms(request: Request, context: Context, jobid: JobId) -> Response:  # noqa: ARG001  the body's counts
    """A page of the files of the catalog that the bucket does not have."""
    return await _report(request, context.reader, "phantoms")


@router.post(f"{_REPORTS}/mismatches", **_documented(requests.ReportRequest, answers.Mismatches))
async def mismatches(request: Request, context: Context, jobid: JobId) -> Response:  # noqa: ARG001  the body's counts
    """A page of the files that differ between catalog and bucket."""
    return await _report(request, context.reader, "mismatches")


async def _report(request: Request, reader: Reader, report: str) -> Response:
    asked = await _body(request, requests.ReportRequest)
    query = report_query(report, asked.job_id)
    reading = pages_of(request).of(reader, query, asked.page_index, read_report)
    return _json(await unless_gone(request, reading))
