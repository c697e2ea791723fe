"""Loads SQL in named blocks from a `.sql` file next to the code that runs it; makes JSON parameters."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from pydantic_core import to_json
from sqlalchemy import TextClause, text

_HEADING = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def load(package: str, file: str) -> Mapping[str, TextClause]:
    """The blocks of a file, by name.  Each begins with a line `-- name: block`; parameters are `:parameter`.

    Args:
        package: the package of the file, such as `__package__`.
        file: its name.

    Raises:
        ValueError: two blocks have the same name, or the file has no blocks.
    """
    _, *parts = _HEADING.split(files(package).joinpath(file).read_text("utf-8"))
    names, bodies = parts[::2], parts[1::2]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"{file}: every block of SQL needs a name of its own")
    return MappingProxyType(
        {name: text(body.strip().removesuffix(";")) for name, body in zip(names, bodies, strict=True)}
    )


def as_json(rows: Sequence[object]) -> str:
    """Rows as one parameter, a JSON array: texts without lone surrogates, numbers, times.

    By pydantic, which takes a sixth of the time of `json`.  Non-ASCII characters are not escaped: a server
    with the encoding SQL_ASCII rejects their escapes.
    """
    return to_json(rows).decode()
