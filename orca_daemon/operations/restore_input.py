"""Reads the list of granules that an operator wants restored."""

from collections.abc import Iterable

from pydantic import Field

from orca_daemon.db.archived import WantedGranule
from orca_daemon.operations.messages import numbered
from orca_daemon.wire.wire_model import MalformedError, Name, WireModel, json_object, read


class _Line(WireModel):
    granule_id: Name
    collection_id: Name | None = Field(default=None)


def read_wanted(lines: Iterable[str], collection: str | None) -> list[WantedGranule]:
    """The granules, each once, in order.

    Args:
        lines: of each the id of a granule, or a JSON object with `granuleId` and perhaps `collectionId`;
            blank ones do not count.
        collection: of the granules whose line names none.

    Raises:
        MalformedError: a line is neither; the text has its number.
    """
    return list(dict.fromkeys(_wanted(number, line.strip(), collection) for number, line in numbered(lines)))


def _wanted(number: int, line: str, collection: str | None) -> WantedGranule:
    if not line.startswith("{"):
        if "\0" in line:
            raise MalformedError(f"line {number}: holds a NUL character")
        return WantedGranule(line, collection)
    try:
        given = read(_Line, json_object(line), "line")
    except MalformedError as error:
        raise MalformedError(f"line {number}: {error}") from None
    return WantedGranule(given.granule_id, given.collection_id or collection)
