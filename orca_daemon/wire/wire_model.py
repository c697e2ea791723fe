"""What all messages have in common: strict, frozen, tolerant of unknown keys, and quiet about values."""

import json
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

LARGEST_INTEGER = 2**31 - 1
"""Postgres's `integer`, the type of the column for chunk sizes."""
LARGEST_ID = 2**63 - 1
"""Postgres's `bigint`, the type of ids that the database gives."""
_BYTE_ORDER_MARK = "\ufeff"
_SHOWN = 5


class MalformedError(ValueError):
    """The message is not of the shape that its queue carries, or holds what cannot be stored.

    The text is one sentence for an operator: every field at fault with its problem, no values.
    """


class WireModel(BaseModel):
    """A message or a part of one.  Attributes are named as Python does, JSON keys in camelCase."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )


S = TypeVar("S", bound=WireModel)

_NO_NUL = r"^[^\x00]*$"
# A pattern also refuses lone surrogates: pydantic reads the text as UTF-8 to match it.
Text = Annotated[str, StringConstraints(pattern=_NO_NUL)]
"""Any text that Postgres can hold and UTF-8 can write: all but the NUL character and lone surrogates."""
Name = Annotated[str, StringConstraints(pattern=_NO_NUL, min_length=1)]
"""The same, not empty."""
Label = Annotated[str, StringConstraints(pattern=_NO_NUL, max_length=255)]
"""Such a text, empty or short enough for a log line: the name of an event, of a table."""


def _megabytes(value: object) -> int | None:
    """Rounded as Postgres rounds; text is taken when it is a number, as Postgres takes it."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise PydanticCustomError("megabytes", "is neither a number nor null")
    try:
        whole = int(Decimal(str(value)).quantize(Decimal(1), ROUND_HALF_UP))
    except (InvalidOperation, ValueError, OverflowError):
        raise PydanticCustomError("megabytes", "is neither a number nor null") from None
    if not 0 <= whole <= LARGEST_INTEGER:
        raise PydanticCustomError("megabytes", "is negative or too large")
    return whole


Megabytes = Annotated[int | None, BeforeValidator(_megabytes)]
"""A size in units of 2**20 bytes; None and 0 leave it to the reader's own setting."""


def json_object(body: str) -> dict[str, Any]:
    """The JSON object in this body, as ORCA's readers take it: of equal keys, the last one counts.

    Whatever no shape declares may hold anything that Python's json reads, such as half of a surrogate pair.

    Raises:
        MalformedError: the body is something else.
    """
    try:
        document = json.loads(body.removeprefix(_BYTE_ORDER_MARK))
    except json.JSONDecodeError:
        raise MalformedError("the body is not JSON") from None
    except RecursionError:
        raise MalformedError("the body is JSON that is nested too deeply") from None
    except ValueError:  # Python reads no more, for the time that it would take
        raise MalformedError("the body holds a number of more than 4,300 digits") from None
    if not isinstance(document, dict):
        raise MalformedError("the body is JSON, but not an object")
    return document


def read(shape: type[S], document: Mapping[str, Any], name: str) -> S:
    """The message in this JSON object; `name` says in errors what it was taken for.

    Raises:
        MalformedError: a field is missing or wrong.
    """
    try:
        return shape.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        # The original holds values, and so would a traceback that shows it.
        raise MalformedError(sentence(name, error)) from None


def make(shape: type[S], name: str, **fields: Any) -> S:
    """A message of these fields, by the names of its attributes.  Raises `MalformedError` as `read` does."""
    try:
        return shape(**fields)
    except ValidationError as error:
        raise MalformedError(sentence(name, error)) from None


def sentence(name: str, error: ValidationError) -> str:
    """Every field at fault and its problem, in one line."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    shown = [_problem(problem) for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        shown.append(f"and {len(problems) - _SHOWN} more")
    return f"not a valid {name}: {'; '.join(shown)}"


_PROBLEMS = {
    "missing": "is missing",
    "string_type": "is not a string",
    "string_unicode": "holds half of a surrogate pair, which is no character",
    "string_pattern_mismatch": "holds a NUL character",
    "string_too_short": "is empty",
    "string_too_long": "is too long",
    "int_type": "is not an integer",
    "greater_than": "is not a positive number",
    "less_than_equal": "is too large",
    "model_type": "is not an object",
    "tuple_type": "is not an array",
    "too_short": "is empty",
}


def _problem(problem: ErrorDetails) -> str:
    text = _PROBLEMS.get(problem["type"]) or problem["msg"]
    return f"{_path(problem['loc'])} {text}".strip()


def _path(location: tuple[Any, ...]) -> str:
    """`('files', 3, 'statusId')` as `files[3].statusId`."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.removeprefix(".")
