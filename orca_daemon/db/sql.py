"""SQL in named blocks of a `.sql` file that lies next to the code that runs it."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from sqlalchemy import TextClause, text

_HEADING = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def load(package: str, file: str) -> Mapping[str, TextClause]:
    """The blocks of a file, by name; each begins with a line `-- name: block`, parameters are `:written_so`.

    Args:
        package: the package that the file lies in, such as `__package__`.
        file: its name.

    Raises:
        ValueError: two blocks have one name, or there are none.
    """
    _, *parts = _HEADING.split(files(package).joinpath(file).read_text("utf-8"))
    names, bodies = parts[::2], parts[1::2]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"{file}: blocks of SQL need names, each its own")
    return MappingProxyType(
        {name: text(body.strip().removesuffix(";")) for name, body in zip(names, bodies, strict=True)}
    )
