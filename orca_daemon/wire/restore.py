"""The message on the restore queue: which archived files to bring back, and to which buckets.

Three bodies are accepted (contracts 12 to 14): the input of ORCA's Lambda `request_from_archive` alone; the
same with its envelope (`input`, `config`, `optionalValues`); and the input of ORCA's recovery workflow
(`payload`, `config`), whose destinations follow from `fileBucketMaps`.  `taskToken` beside them names the
Step Functions task that waits for the answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from orca_daemon.wire.destinations import PatternError, bucket_for, is_excluded
from orca_daemon.wire.file_reference import check_row_key
from orca_daemon.wire.outgoing import Outgoing, digest, dump
from orca_daemon.wire.s3_names import Bucket, Key
from orca_daemon.wire.wire_model import (
    MalformedError,
    Megabytes,
    Name,
    Text,
    WireModel,
    json_object,
    make,
    read,
)

RESTORE_GROUP = "restore"
"""Prefix of the message group of a request on a FIFO queue."""
_A_JOB_ID = "x" * 36
"""As long as the UUID that a request without a job id gets."""
_NAME = "restore request"
_MOST_NESTED = 50
"""Levels of `optionalValues`."""


class Tier(StrEnum):
    """How fast S3 restores, and at which price (AWS: archive retrieval options)."""

    STANDARD = "Standard"
    BULK = "Bulk"
    EXPEDITED = "Expedited"


def _tier(value: object) -> Tier:
    if isinstance(value, str) and value in set(Tier):
        return Tier(value)
    raise PydanticCustomError("tier", "is not one of Standard, Bulk, Expedited")


TierName = Annotated[Tier, BeforeValidator(_tier)]
Days = Annotated[int, Field(ge=1, le=36_500)]


class RestoreFile(WireModel):
    """One object of the archive, and the bucket where its copy goes."""

    key: Key
    destination: Bucket = Field(alias="destBucket")

    @property
    def filename(self) -> str:
        """The last segment of the key, by which jobs name a file."""
        return self.key.rpartition("/")[2]


class RestoreGranule(WireModel):
    """One granule.  Without files, its job is created and fails at once, as in ORCA."""

    collection_id: Text
    granule_id: Text
    files: tuple[RestoreFile, ...] = Field(strict=False, alias="keys")
    document: dict[str, Any] = Field(default_factory=dict, repr=False, exclude=True)
    """The granule as the request has it, whose fields the output repeats."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        # The tables' keys have only the name of a file, without its directory.
        if len({file.filename for file in self.files}) != len(self.files):
            raise PydanticCustomError("keys", "holds two files of the same name")
        return self


class RestoreRequest(WireModel):
    """What is asked for.  A field that is None follows from a setting."""

    granules: tuple[RestoreGranule, ...] = Field(strict=False)
    job_id: Name | None = None
    """`asyncOperationId`; None: the job gets an id that follows from the message's."""
    bucket: Bucket | None = None
    """`defaultBucketOverride`: the archive; else `restore.bucket`."""
    tier: TierName | None = None
    """`defaultRecoveryTypeOverride`; else `restore.tier`."""
    chunk_mib: Megabytes = None
    """`s3MultipartChunksizeMb`: the part size of the copies; else `copies.chunk_mib`."""
    days: Days | None = None
    """`expireDays`, which is ours: days for which the restored copies are kept; else `restore.days`."""
    task_token: Text | None = Field(default=None, repr=False)
    """`taskToken`: names the Step Functions task that waits for the answer."""

    @model_validator(mode="after")
    def _fits_the_tables(self) -> Self:
        seen = set()
        for index, granule in enumerate(self.granules):
            identity = (granule.collection_id, granule.granule_id)
            if identity in seen:
                raise PydanticCustomError("granules", "granules holds the same granule twice")
            seen.add(identity)
            names = {
                f"granules[{index}].keys[{at}].key": each.filename for at, each in enumerate(granule.files)
            }
            check_row_key(self.job_id or _A_JOB_ID, *identity, names)
        return self

    @property
    def files(self) -> Iterator[tuple[RestoreGranule, RestoreFile]]:
        """Every file with its granule."""
        return ((granule, file) for granule in self.granules for file in granule.files)


class _Config(WireModel):
    async_operation_id: Text | None = None
    default_bucket_override: Text | None = None
    default_recovery_type_override: TierName | None = None
    s3_multipart_chunksize_mb: Megabytes = Field(default=None, alias="s3MultipartChunksizeMb")
    expire_days: Days | None = None


class _WorkflowFile(WireModel):
    file_name: Name
    key: Key


class _WorkflowGranule(WireModel):
    collection_id: Text
    granule_id: Text
    files: tuple[_WorkflowFile, ...] = Field(strict=False)


class _Payload(WireModel):
    granules: tuple[_WorkflowGranule, ...] = Field(strict=False)
    recovery_bucket_override: Text | None = None


class _BucketMap(WireModel):
    regex: Text
    bucket: Text


class _NamedBucket(WireModel):
    name: Bucket


class _WorkflowConfig(WireModel):
    buckets: dict[str, _NamedBucket]
    file_bucket_maps: tuple[_BucketMap, ...] = Field(strict=False)
    excluded_file_extensions: tuple[Text, ...] | None = Field(default=None, strict=False)


class _Workflow(WireModel):
    payload: _Payload
    config: _WorkflowConfig


def decode(body: str) -> RestoreRequest:
    """Read the request in this body, in any of the three forms.

    Raises:
        MalformedError: it is none of them, or a file has no destination.
    """
    document = json_object(body)
    if "payload" in document:
        return _request(_granules_of_workflow(document), document)
    enveloped = "input" in document
    filled = _with_optional_values(document) if enveloped else document
    source = filled.get("input") if enveloped else filled
    if not isinstance(source, Mapping):
        raise MalformedError(f"not a valid {_NAME}: input is not an object")
    return _request(source.get("granules"), filled)


def task_token(body: str) -> str | None:
    """The task token in a body, even if nothing else in it is right; None if it has none."""
    try:
        token = json_object(body).get("taskToken")
    except MalformedError:
        return None
    return token if isinstance(token, str) and token else None


def _request(granules: Any, document: Mapping[str, Any]) -> RestoreRequest:
    config = read(_Config, _mapping(document.get("config")), f"config of a {_NAME}")
    fields = {
        "jobId": config.async_operation_id or None,
        "bucket": config.default_bucket_override or None,
        "tier": config.default_recovery_type_override,
        "chunkMib": config.s3_multipart_chunksize_mb,
        "days": config.expire_days,
        "taskToken": document.get("taskToken") or None,
    }
    if granules is not None:
        fields["granules"] = [_with_document(granule) for granule in _sequence(granules)]
    return read(RestoreRequest, fields, _NAME)


def _with_document(granule: Any) -> Any:
    return {**granule, "document": dict(granule)} if isinstance(granule, Mapping) else granule


def _mapping(value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise MalformedError(f"not a valid {_NAME}: config is not an object")
    return value


def _sequence(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise MalformedError(f"not a valid {_NAME}: granules is not an array")
    return value


def _with_optional_values(document: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in the tree `optionalValues`, whose leaves are paths into the whole event (contract 13)."""
    tree = document.get("optionalValues")
    filled = dict(document)
    if isinstance(tree, Mapping):
        _fill(filled, tree, document, _MOST_NESTED)
    return filled


def _fill(target: dict[str, Any], tree: Mapping[str, Any], event: Mapping[str, Any], levels: int) -> None:
    if not levels:
        raise MalformedError(f"not a valid {_NAME}: optionalValues is nested too deeply")
    for name, leaf in tree.items():
        if isinstance(leaf, Mapping):
            below = target.get(name)
            target[name] = dict(below) if isinstance(below, Mapping) else {}
            _fill(target[name], leaf, event, levels - 1)
        elif isinstance(leaf, str):
            target[name] = _at(event, leaf)


def _at(event: Any, path: str) -> Any:
    for name in path.split("."):
        event = event.get(name) if isinstance(event, Mapping) else None
    return event


def _granules_of_workflow(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    workflow = read(_Workflow, document, "input of the recovery workflow")
    return [
        {
            "collectionId": granule.collection_id,
            "granuleId": granule.granule_id,
            "keys": [
                {"key": file.key, "destBucket": destination}
                for file in granule.files
                if (destination := _destination(file, workflow)) is not None
            ],
        }
        for granule in workflow.payload.granules
    ]


def _destination(file: _WorkflowFile, workflow: _Workflow) -> str | None:
    """The bucket for a file; None if its extension is excluded."""
    config, maps = workflow.config, workflow.config.file_bucket_maps
    try:
        if is_excluded(file.file_name, config.excluded_file_extensions or ()):
            return None
        if workflow.payload.recovery_bucket_override:
            return workflow.payload.recovery_bucket_override
        bucket = bucket_for(file.file_name, [(each.regex, each.bucket) for each in maps])
    except PatternError as error:
        raise MalformedError(
            f"not a valid {_NAME}: a pattern of fileBucketMaps or excludedFileExtensions {error}"
        ) from None
    if bucket is None:
        tried = ", ".join(each.regex for each in maps) or "none"
        raise MalformedError(f"no pattern of fileBucketMaps matches {file.file_name}; tried: {tried}")
    if bucket not in config.buckets:
        raise MalformedError(f"fileBucketMaps names the bucket {bucket}, and config.buckets does not have it")
    return config.buckets[bucket].name


def request(granules: Sequence[RestoreGranule], **fields: Any) -> RestoreRequest:
    """A request of these granules; `fields` are attributes of `RestoreRequest`.

    Raises:
        MalformedError: a field is wrong, or the tables cannot hold the names.
    """
    return make(RestoreRequest, _NAME, granules=tuple(granules), **fields)


def document(request: RestoreRequest) -> dict[str, Any]:
    """The request as a JSON object, in the form with an envelope."""
    config: dict[str, Any] = {
        "asyncOperationId": request.job_id,
        "defaultBucketOverride": request.bucket,
        "defaultRecoveryTypeOverride": request.tier,
        "s3MultipartChunksizeMb": request.chunk_mib,
    }
    if request.days is not None:
        config["expireDays"] = request.days
    whole: dict[str, Any] = {
        "input": {"granules": [granule_document(granule) for granule in request.granules]},
        "config": config,
    }
    return whole if request.task_token is None else {**whole, "taskToken": request.task_token}


def granule_document(granule: RestoreGranule) -> dict[str, Any]:
    """The granule as a JSON object, with its keys in ORCA's order, and whatever else the request had."""
    return {
        **granule.document,
        "collectionId": granule.collection_id,
        "granuleId": granule.granule_id,
        "keys": granule.document.get("keys")
        or [{"key": file.key, "destBucket": file.destination} for file in granule.files],
    }


def message(request: RestoreRequest, *, fifo: bool = False) -> Outgoing:
    """The request as a message to the restore queue.

    On a FIFO queue each granule list has a group of its own, so that requests do not wait for each other, and
    the same request within five minutes is one message.
    """
    return outgoing(dump(document(request)), fifo=fifo)


def outgoing(body: str, *, fifo: bool) -> Outgoing:
    """This body as a message, in the same way."""
    if not fifo:
        return Outgoing(body=body)
    return Outgoing(body=body, group=f"{RESTORE_GROUP}-{digest(body)[:32]}", deduplication_id=digest(body))
