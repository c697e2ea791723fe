"""How messages name a file of a job: by the primary key of `recovery_file`."""

from collections.abc import Mapping

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from orca_daemon.wire.wire_model import Text, WireModel

LARGEST_ROW_KEY = 2_704 - 8 - 4 * 7 - 7
"""Bytes of UTF-8 that job, collection, granule and filename may have together.

An entry of a B-tree index may have 2,704 bytes (Postgres: nbtree, pages of 8 KiB).  Of these, 8 are its
header, up to 7 are the length and alignment of each of four texts, and 7 are `UNKNOWN`, which the tables
store if a message names no collection.
"""
ALWAYS_FITS = LARGEST_ROW_KEY // 4
"""Number of characters that fit in any case: a character has at most four bytes."""


class FileReference(WireModel):
    """Names one file.  Producers older than ORCA 8.1 send no collection; then `collection_id` is None."""

    job_id: Text
    collection_id: Text | None = None
    granule_id: Text
    filename: Text

    @model_validator(mode="after")
    def _fits_the_tables(self) -> "FileReference":
        job, collection, granule, filename = self.job_id, self.collection_id, self.granule_id, self.filename
        if len(job) + len(collection or "") + len(granule) + len(filename) > ALWAYS_FITS:
            check_row_key(job, collection, granule, {"filename": filename})
        return self


def check_row_key(
    job_id: str, collection_id: str | None, granule_id: str, filenames: Mapping[str, str]
) -> None:
    """Check that the primary keys of the tables can hold these values together.

    `filenames` has each file's name by its field in the message, such as `files[0].filename`.

    Raises:
        PydanticCustomError: they are too long.
    """
    parts = {"jobId": job_id, "collectionId": collection_id or "", "granuleId": granule_id}
    sizes = {name: len(text.encode()) for name, text in parts.items()}
    if filename_sizes := {name: len(text.encode()) for name, text in filenames.items()}:
        longest = max(filename_sizes, key=filename_sizes.__getitem__)
        sizes[longest] = filename_sizes[longest]
    if (size := sum(sizes.values())) > LARGEST_ROW_KEY:
        longest = max(sizes, key=sizes.__getitem__)
        others = ", ".join(name for name in sizes if name != longest)
        raise PydanticCustomError(
            "row_key",
            "{longest} is too long: with {others} it has {size} bytes; the keys of the tables take {most}",
            {"longest": longest, "others": others, "size": f"{size:,}", "most": f"{LARGEST_ROW_KEY:,}"},
        )
