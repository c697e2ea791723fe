"""The answers of ORCA's read API, for its OpenAPI page; `queries` builds them as plain values.

Times are milliseconds since 1970-01-01 UTC, cut off at the millisecond.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Milliseconds = Annotated[int, Field(description="milliseconds since 1970-01-01 UTC")]
Status = Literal["pending", "staged", "success", "error"]


class OrcaAnswer(BaseModel):
    """A JSON object; the names of its keys are those of ORCA."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)


class OrcaError(OrcaAnswer):
    """Every answer but 200."""

    error_type: str = Field(description="`BadRequest`, `NotFound`, `InternalServerError`, …")
    http_status: int = Field(description="the status code of the answer")
    request_id: str = Field(description="id of this answer")
    message: str = Field(description="what is wrong; never with SQL or values of rows")


class JobStatusTotals(OrcaAnswer):
    """Number of granules by status."""

    pending: Annotated[int, Field(ge=0)]
    staged: Annotated[int, Field(ge=0)]
    success: Annotated[int, Field(ge=0)]
    error: Annotated[int, Field(ge=0)]


class JobGranule(OrcaAnswer):
    """A granule of a recovery job."""

    collection_id: str
    granule_id: str
    status: Status


class JobStatus(OrcaAnswer):
    """Answer of `recovery/jobs`."""

    async_operation_id: str
    job_status_totals: JobStatusTotals
    granules: list[JobGranule]


class RecoveryFile(OrcaAnswer):
    """A file of a granule that is recovered."""

    file_name: str
    restore_destination: str = Field(description="bucket")
    status: Status
    error_message: str = Field("", description="only if there is one")


class GranuleStatus(OrcaAnswer):
    """Answer of `recovery/granules`."""

    collection_id: str
    granule_id: str
    async_operation_id: str
    files: list[RecoveryFile] = Field(description="by name, descending")
    request_time: Milliseconds
    completion_time: Milliseconds = Field(0, description="only if the job has ended")


class CatalogFile(OrcaAnswer):
    """A file in the archive."""

    name: str
    cumulus_archive_location: str = Field(description="bucket in Cumulus")
    orca_archive_location: str = Field(description="bucket of the archive")
    key_path: str
    size_bytes: int
    hash: str | None
    hash_type: str | None
    storage_class: str
    version: str = Field(description="version id in S3")


class CatalogGranule(OrcaAnswer):
    """A granule of the catalog."""

    provider_id: str
    collection_id: str
    id: str = Field(description="the granule's id in Cumulus")
    created_at: Milliseconds
    execution_id: str
    ingest_date: Milliseconds
    last_update: Milliseconds
    files: list[CatalogFile]


class CatalogPage(OrcaAnswer):
    """Answer of `catalog/reconcile`: at most 100 granules, by the bytes of `id:collectionId`."""

    another_page: bool
    granules: list[CatalogGranule]


class ReportTotals(OrcaAnswer):
    """Rows of the three reports."""

    orphan: Annotated[int, Field(ge=0)]
    phantom: Annotated[int, Field(ge=0)]
    catalog_mismatch: Annotated[int, Field(ge=0)]


class ReconcileJob(OrcaAnswer):
    """A comparison of a bucket with the catalog."""

    id: int
    orca_archive_location: str
    status: Literal["getting S3 list", "staged", "generating reports", "error", "success"]
    inventory_creation_time: Milliseconds
    last_update: Milliseconds
    error_message: str | None
    report_totals: ReportTotals


class ReconcileJobsPage(OrcaAnswer):
    """Answer of `orca/datamanagement/reconciliation/internal/jobs`: the newest inventory first."""

    another_page: bool
    jobs: list[ReconcileJob]


class Orphan(OrcaAnswer):
    """An object that the catalog does not have."""

    key_path: str
    s3_etag: str = Field(alias="s3Etag")
    s3_file_last_update: Milliseconds = Field(alias="s3FileLastUpdate")
    s3_size_in_bytes: int = Field(alias="s3SizeInBytes")
    s3_storage_class: str = Field(alias="s3StorageClass")


class Orphans(OrcaAnswer):
    """Answer of `…/orphans`, by `keyPath`."""

    job_id: int
    another_page: bool
    orphans: list[Orphan]


class Phantom(OrcaAnswer):
    """A file of the catalog that the bucket does not have."""

    collection_id: str
    granule_id: str
    filename: str
    key_path: str
    orca_etag: str
    orca_granule_last_update: Milliseconds
    orca_size_in_bytes: int
    orca_storage_class: str


class Phantoms(OrcaAnswer):
    """Answer of `…/phantoms`, by collection, granule, file name."""

    job_id: int
    another_page: bool
    phantoms: list[Phantom]


class Mismatch(OrcaAnswer):
    """A file that differs between catalog and bucket."""

    collection_id: str
    granule_id: str
    filename: str
    key_path: str
    cumulus_archive_location: str
    orca_etag: str
    s3_etag: str = Field(alias="s3Etag")
    orca_granule_last_update: Milliseconds
    s3_file_last_update: Milliseconds = Field(alias="s3FileLastUpdate")
    orca_size_in_bytes: int
    s3_size_in_bytes: int = Field(alias="s3SizeInBytes")
    orca_storage_class: str
    s3_storage_class: str = Field(alias="s3StorageClass")
    discrepancy_type: str = Field(description="such as `etag, size_in_bytes, storage_class`")
    comment: str | None = Field(description="null, or that the file may have changed while it was compared")


class Mismatches(OrcaAnswer):
    """Answer of `…/mismatches`, by collection, granule, file name."""

    job_id: int
    another_page: bool
    mismatches: list[Mismatch]
