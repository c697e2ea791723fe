"""What all messages have in common: strict, frozen, tolerant of unknown keys, and quiet about values."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

LARGEST_INTEGER = 2**31 - 1
"""Postgres's `integer`, the type of the column for chunk sizes."""
_SHOWN = 5


class Malformed(ValueError):  # noqa: N818  a verdict on the sender, not a fault of ours
    """The message is not of the shape that its queue carries.

    The text is one sentence for an operator: every field at fault with its problem, no values.
    """


class Shape(BaseModel):
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


S = TypeVar("S", bound=Shape)

Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""Any text that Postgres can hold, which is all but the NUL character."""
Name = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$")]
"""The same, not empty: the name of a bucket, a key, a table."""


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


def read(shape: type[S], text: str, name: str) -> S:
    """The message in this JSON text; `name` says in errors what it was taken for.

    Raises:
        Malformed: the text is no JSON, or a field is missing or wrong.
    """
    try:
        return shape.model_validate_json(text, by_alias=True, by_name=False)
    except ValidationError as error:
        # The original holds values, and so would a traceback that shows it.
        raise Malformed(sentence(name, error)) from None


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
    "int_type": "is not an integer",
    "model_type": "is not an object",
    "tuple_type": "is not an array",
    "string_pattern_mismatch": "is empty or holds a NUL character",
}


def _problem(problem: ErrorDetails) -> str:
    text = _PROBLEMS.get(problem["type"]) or problem["msg"]
    return f"{_path(problem['loc'])} {text}".strip()


def _path(location: tuple[Any, ...]) -> str:
    """`('files', 3, 'statusId')` as `files[3].statusId`."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.removeprefix(".")
