"""Which bucket a restored file goes to: the first pattern that is found anywhere in its name (contract 12).

The patterns come from messages, so they are matched by an engine whose time is linear in the text (Rust's
`regex`, which pydantic uses): Python's `re` could hold the event loop for hours.  It has neither look-around
nor back references; a pattern that needs them is refused.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Annotated

from pydantic import StringConstraints, TypeAdapter, ValidationError
from pydantic_core import SchemaError

_LONGEST = 1_000
"""Characters of a pattern."""


class PatternError(ValueError):
    """The text is no regular expression that is matched in linear time."""


@lru_cache(maxsize=256)
def pattern(expression: str) -> Callable[[str], bool]:
    """A function that tells whether this expression is found anywhere in a text.

    Raises:
        PatternError: it is no regular expression, is too long, or needs look-around or back references.
    """
    if len(expression) > _LONGEST:
        raise PatternError(f"has more than {_LONGEST:,} characters")
    try:
        adapter = TypeAdapter(Annotated[str, StringConstraints(pattern=expression)])
    except SchemaError as error:
        kind = "look-around or a back reference" if "not supported" in str(error) else ""
        raise PatternError(
            f"needs {kind}, which is not supported" if kind else "is no regular expression"
        ) from None

    def found(text: str) -> bool:
        try:
            adapter.validate_python(text)
        except ValidationError:
            return False
        return True

    return found


def bucket_for(name: str, patterns: Iterable[tuple[str, str]]) -> str | None:
    """The bucket of the first pattern found in this filename; None if there is none.

    Args:
        name: the filename, not the key.
        patterns: expressions and their buckets, in order.

    Raises:
        PatternError: as `pattern` does.
    """
    return next((bucket for expression, bucket in patterns if pattern(expression)(name)), None)


def is_excluded(name: str, extensions: Iterable[str]) -> bool:
    """Whether the filename ends as one of these extensions says, which are expressions, too (contract 12).

    Raises:
        PatternError: as `pattern` does.
    """
    return any(pattern(f"^.*{extension}$")(name) for extension in extensions)
