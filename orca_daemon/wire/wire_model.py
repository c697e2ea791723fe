"""The base of all messages: strict types, frozen, unknown keys ignored, no values in error messages."""

import json
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ErrorType

LARGEST_INTEGER = 2**31 - 1
"""Largest `integer` of Postgres, the type of the column for chunk sizes."""
LARGEST_ID = 2**63 - 1
"""Largest `bigint` of Postgres, the type of ids that the database generates."""
_BYTE_ORDER_MARK = "\ufeff"
_MOST_PROBLEMS = 5
"""Problems that one error message lists."""


class MalformedError(ValueError):
    """The message does not have the format of its queue, or holds a value that cannot be stored.

    The text is one sentence for an operator: each wrong field with its problem, and no values.
    """


class WireModel(BaseModel):
    """A message or a part of one.  Attributes have Python's snake_case names, JSON keys are in camelCase."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
        # Built when the first message of its kind comes: a daemon uses some of them, all take a megabyte.
        defer_build=True,
    )


S = TypeVar("S", bound=WireModel)

_NO_NUL = r"^[^\x00]*$"
# The pattern also refuses lone surrogates, because pydantic encodes the text as UTF-8 to match it.
Text = Annotated[str, StringConstraints(pattern=_NO_NUL)]
"""Any text that Postgres and UTF-8 can hold: without NUL characters and lone surrogates."""
Name = Annotated[str, StringConstraints(pattern=_NO_NUL, min_length=1)]
"""Like `Text`, but not empty."""
Label = Annotated[str, StringConstraints(pattern=_NO_NUL, max_length=255)]
"""Like `Text`, and short enough for a log line: the name of an event or of a table."""


def _megabytes(value: object) -> int | None:
    """Round as Postgres does, and accept a number in a text as Postgres does."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise PydanticCustomError("megabytes", "is neither a number nor null")
    try:
        rounded = int(Decimal(str(value)).quantize(Decimal(1), ROUND_HALF_UP))
    except (InvalidOperation, ValueError, OverflowError):
        raise PydanticCustomError("megabytes", "is neither a number nor null") from None
    if not 0 <= rounded <= LARGEST_INTEGER:
        raise PydanticCustomError("megabytes", "is negative or too large")
    return rounded


Megabytes = Annotated[int | None, BeforeValidator(_megabytes)]
"""A size in units of 2**20 bytes; None and 0 mean the reader's own setting."""


def json_object(body: str) -> dict[str, Any]:
    """Read the JSON object in this body, as ORCA's readers do: the last of several equal keys counts.

    Keys that no model declares may hold anything that Python's json reads, such as lone surrogates.

    Raises:
        MalformedError: the body is not a JSON object.
    """
    try:
        document = json.loads(body.removeprefix(_BYTE_ORDER_MARK))
    except json.JSONDecodeError:
        raise MalformedError("the body is not JSON") from None
    except RecursionError:
        raise MalformedError("the body is JSON that is nested too deeply") from None
    except ValueError:  # Python refuses longer numbers, because converting them takes too long
        raise MalformedError("the body holds a number of more than 4,300 digits") from None
    if not isinstance(document, dict):
        raise MalformedError("the body is JSON, but not an object")
    return document


def read(model: type[S], document: Mapping[str, Any], name: str) -> S:
    """Read a message of this model; error messages call it `name`.

    Raises:
        MalformedError: a field is missing or wrong.
    """
    try:
        return model.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        # The original error holds values, and so would a traceback with it.
        raise MalformedError(sentence(name, error)) from None


def make(model: type[S], name: str, **fields: Any) -> S:
    """A message with these attributes.  Raises `MalformedError` as `read` does."""
    try:
        return model(**fields)
    except ValidationError as error:
        raise MalformedError(sentence(name, error)) from None


def sentence(name: str, error: ValidationError) -> str:
    """One line with each wrong field and its problem."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    texts = [_problem(problem) for problem in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        texts.append(f"and {len(problems) - _MOST_PROBLEMS} more")
    return f"not a valid {name}: {'; '.join(texts)}"


_PROBLEMS = {
    "bool_type": "is neither true nor false",
    "dict_type": "is not an object",
    "enum": "is not one of the values that it can have",
    "extra_forbidden": "is not a field of it",
    "finite_number": "is not a finite number",
    "float_type": "is not a number",
    "greater_than_equal": "is too small",
    "int_from_float": "is not an integer",
    "less_than": "is too large",
    "list_type": "is not an array",
    "literal_error": "is not one of the values that it can have",
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
    "too_long": "has too many entries",
    "too_short": "is empty",
}
_FOREIGN = frozenset(get_args(ErrorType))
"""Errors of pydantic's own, whose words are for programmers; all other types are ours, with words of ours."""


def _problem(problem: ErrorDetails) -> str:
    kind, text = problem["type"], problem["msg"]
    if kind == "value_error":
        text = text.removeprefix("Value error, ")
    elif kind in _FOREIGN:
        text = _PROBLEMS.get(kind, "is not valid")
    return f"{_path(problem['loc'])} {text}".strip()


def _path(location: tuple[Any, ...]) -> str:
    """`('files', 3, 'statusId')` as `files[3].statusId`."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.removeprefix(".")
