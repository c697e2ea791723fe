"""The bodies of requests to ORCA's read API, and ORCA's sentences about what is wrong with one.

ORCA checks bodies with fastjsonschema and answers with its text (contract: errors of all seven paths).  As in
JSON Schema, 3.0 is an integer, true is not, and unknown keys are ignored.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

PAGE = 100
"""Rows of a page, in all lists of ORCA."""
SMALLEST, LARGEST = -(2**53), 2**53
"""The integers on which all programs that read JSON agree (RFC 8259, section 6); in SQL they are int8."""
_JOB = "2f8a1c7e-5d3b-4a59-9c1e-7b6d0f4e8a21"
"""Example of an id."""
_LAST_PAGE = LARGEST


def _integer(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Integer = Annotated[int, Field(ge=SMALLEST, le=LARGEST), BeforeValidator(_integer)]
PageIndex = Annotated[int, Field(ge=0, le=_LAST_PAGE, description="from 0"), BeforeValidator(_integer)]
Texts = Annotated[list[str], Field(fail_fast=True)]
"""Fails at the first element that is no text: a body may have a million of them."""


class OrcaRequest(BaseModel):
    """A JSON object; the names of its keys are those of ORCA."""

    model_config = ConfigDict(alias_generator=to_camel, strict=True, frozen=True, extra="ignore")


class JobStatusRequest(OrcaRequest):
    """Body of `recovery/jobs`."""

    async_operation_id: str = Field(min_length=1, description="id of the recovery job", examples=[_JOB])


class GranuleStatusRequest(OrcaRequest):
    """Body of `recovery/granules`."""

    collection_id: str = Field(examples=["MOD09GQ___006"])
    granule_id: str = Field(examples=["MOD09GQ.A2017025.h21v00.006.2017034065104"])
    async_operation_id: str = Field(
        "",
        description="id of the recovery job; absent or empty: the job that was requested last",
        examples=[_JOB],
    )


class CatalogRequest(OrcaRequest):
    """Body of `catalog/reconcile`.  A granule must meet all conditions."""

    page_index: PageIndex
    end_timestamp: Integer = Field(description="created before this time, in milliseconds since 1970")
    start_timestamp: Integer | None = Field(
        None, description="created at this time or later, in milliseconds since 1970"
    )
    provider_id: Texts | None = Field(None, description="of one of these providers")
    collection_id: Texts | None = Field(None, description="of one of these collections")
    granule_id: Texts | None = Field(None, description="with one of these ids")


class ReconcileJobsRequest(OrcaRequest):
    """Body of `orca/datamanagement/reconciliation/internal/jobs`."""

    page_index: PageIndex


class ReportRequest(OrcaRequest):
    """Body of the three reports of a reconciliation job."""

    job_id: Integer = Field(description="id of the reconciliation job; that of the path is not read")
    page_index: PageIndex


R = TypeVar("R", bound=OrcaRequest)


class BodyError(Exception):
    """A body does not match its schema; the text is ORCA's."""


def parsed(body: bytes, kind: type[R]) -> R:
    """The request in this body.

    Raises:
        BodyError: it is not JSON, or does not match the schema.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise BodyError("the body is not JSON") from None
    if not isinstance(value, dict):
        raise BodyError("data must be object")
    # ORCA's schemas have no null: a key with null is not an absent one.
    for name, given in value.items():
        if given is None and (wanted := _wanted(kind, name)):
            raise BodyError(f"data.{name} must be {wanted}")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise BodyError(sentence(error)) from None


def sentence(error: ValidationError) -> str:
    """What fastjsonschema says in this case: all missing properties, or the first other mistake."""
    mistakes = error.errors(include_url=False, include_input=False)
    if missing := [mistake["loc"][0] for mistake in mistakes if mistake["type"] == "missing"]:
        return f"data must contain {missing} properties"
    mistake = mistakes[0]
    if mistake["type"] == "string_too_short":
        return f"{mistake['loc'][0]} must be set to a non-empty value."
    return f"{_place(mistake['loc'])} must be {_expected(mistake['type'], mistake.get('ctx', {}))}"


_TYPES = {
    "int_type": "integer",
    "int_from_float": "integer",
    "string_type": "string",
    "string_unicode": "string",
    "list_type": "array",
}


def _expected(kind: str, context: Mapping[str, Any]) -> str:
    if kind == "greater_than_equal":
        return f"bigger than or equal to {context['ge']}"
    if kind == "less_than_equal":
        return f"smaller than or equal to {context['le']}"
    return _TYPES.get(kind, "as its schema says")


def _place(location: tuple[int | str, ...]) -> str:
    return "data" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def _wanted(kind: type[OrcaRequest], name: str) -> str | None:
    """The type of an optional field of this name, as JSON Schema names it; None if there is no such field."""
    properties: Mapping[str, Any] = _SCHEMAS[kind]["properties"]
    return properties[name]["type"] if name in properties else None


def body_schema(kind: type[OrcaRequest]) -> dict[str, Any]:
    """JSON Schema of a body; optional fields are no null, as in ORCA."""
    schema = kind.model_json_schema()
    for field in schema["properties"].values():
        field.pop("title", None)
        field.pop("default", None)
        for choice in field.pop("anyOf", ()):
            field.update({} if choice["type"] == "null" else choice)
    return schema


_SCHEMAS: Mapping[type[OrcaRequest], dict[str, Any]] = {
    kind: body_schema(kind)
    for kind in (JobStatusRequest, GranuleStatusRequest, CatalogRequest, ReconcileJobsRequest, ReportRequest)
}
