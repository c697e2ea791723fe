"""A file of a job, as messages name it: by the primary key of `recovery_file`."""

from collections.abc import Mapping
from typing import Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from orca_daemon.wire.wire_model import Text, WireModel

LARGEST_ROW_KEY = 2_704 - 8 - 4 * 7 - 7
"""Bytes of UTF-8 that job, collection, granule and filename may have together.

A row of a B-tree index takes 2,704 bytes (Postgres: nbtree, pages of 8 KiB): its header has 8 of them, the
length of each of four texts up to 7 with its alignment, and `UNKNOWN` may stand for the collection.
"""
SURE = LARGEST_ROW_KEY // 4
"""So many characters fit, whatever they are: none has more than four bytes."""


class FileReference(WireModel):
    """Names one file.  `collection_id` is None from producers older than ORCA 8.1."""

    job_id: Text
    collection_id: Text | None = None
    granule_id: Text
    filename: Text

    @model_validator(mode="after")
    def _fits_the_tables(self) -> Self:
        job, collection, granule, filename = self.job_id, self.collection_id, self.granule_id, self.filename
        if len(job) + len(collection or "") + len(granule) + len(filename) > SURE:
            check_row_key(job, collection, granule, {"filename": filename})
        return self


def check_row_key(
    job_id: str, collection_id: str | None, granule_id: str, filenames: Mapping[str, str]
) -> None:
    """Raise `PydanticCustomError` where the primary keys of the tables cannot hold these together.

    `filenames` has each file's name by what the message calls it.
    """
    parts = {"jobId": job_id, "collectionId": collection_id or "", "granuleId": granule_id}
    sizes = {name: len(text.encode()) for name, text in parts.items()}
    if named := {name: len(text.encode()) for name, text in filenames.items()}:
        worst = max(named, key=named.__getitem__)
        sizes[worst] = named[worst]
    if (size := sum(sizes.values())) > LARGEST_ROW_KEY:
        longest = max(sizes, key=sizes.__getitem__)
        others = ", ".join(name for name in sizes if name != longest)
        raise PydanticCustomError(
            "row_key",
            "{longest} is too long: with {others} it has {size} bytes; the keys of the tables take {most}",
            {"longest": longest, "others": others, "size": f"{size:,}", "most": f"{LARGEST_ROW_KEY:,}"},
        )
