"""Messages on the metadata queue: a granule with its provider, its collection and its archived files."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import uuid4

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from orca_daemon.wire.outgoing import Outgoing, digest, dump
from orca_daemon.wire.times import OrcaTime
from orca_daemon.wire.wire_model import LARGEST_ID, Label, Text, WireModel, json_object, read

GROUP_PREFIX = "metadata_message-"
"""ORCA's producers since release 10.1.2 send every message in a group of its own: this and a UUID4."""
LARGEST_KEY = 2_704 - 8 - 2 * 7
"""Bytes of UTF-8 that the texts of a key of the catalog's tables may have together.

An entry of a B-tree index may have 2,704 bytes (Postgres: nbtree, pages of 8 KiB).  Of these, 8 are its
header, and up to 7 are the length and alignment of each of two texts.
"""
_ALWAYS_FITS = LARGEST_KEY // 4
"""Number of characters that fit in any case: a character has at most four bytes."""


def _int8(value: object) -> int:
    # As in JSON Schema, by which ORCA checks: 3.0 is an integer, and true is not.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("int8", "is not an integer")
    # NaN and infinities are compared here, too: they are not in the range.
    if not -LARGEST_ID - 1 <= value <= LARGEST_ID:
        raise PydanticCustomError("int8", "is not in the range of int8, the type of the column")
    if value != int(value):
        raise PydanticCustomError("int8", "is not an integer")
    return int(value)


Int8 = Annotated[int, BeforeValidator(_int8)]
"""An integer of 64 bits."""


class Provider(WireModel):
    """Who delivered the granule; a row of `providers`."""

    provider_id: Text
    name: Text | None

    @model_validator(mode="after")
    def _fits_the_table(self) -> "Provider":
        _check_key({"providerId": self.provider_id})
        return self


class Collection(WireModel):
    """The collection of the granule; a row of `collections`."""

    collection_id: Text
    shortname: Text
    version: Text

    @model_validator(mode="after")
    def _fits_the_table(self) -> "Collection":
        _check_key({"collectionId": self.collection_id})
        return self


class CatalogFile(WireModel):
    """A file in the archive; a row of `files`.  ORCA requires `hash` and `hashType`, which may be null."""

    name: Text
    cumulus_archive_location: Text
    orca_archive_location: Text
    key_path: Text
    size_in_bytes: Int8
    hash: Text | None
    hash_type: Text | None
    storage_class: Label
    """The name of a row of `storage_class`; only the table knows which there are."""
    version: Text
    ingest_time: OrcaTime
    etag: Text

    @model_validator(mode="after")
    def _fits_the_table(self) -> "CatalogFile":
        _check_key({"keyPath": self.key_path, "cumulusArchiveLocation": self.cumulus_archive_location})
        _check_key({"keyPath": self.key_path, "orcaArchiveLocation": self.orca_archive_location})
        return self


class CatalogGranule(WireModel):
    """A granule with the files that the message names; a row of `granules`."""

    cumulus_granule_id: Text
    execution_id: Text
    cumulus_create_time: OrcaTime
    ingest_time: OrcaTime
    last_update: OrcaTime
    files: tuple[CatalogFile, ...] = Field(strict=False)  # in JSON it is an array


class CatalogRecord(WireModel):
    """One message: what ORCA has archived of a granule."""

    provider: Provider
    collection: Collection
    granule: CatalogGranule

    @model_validator(mode="after")
    def _fits_the_tables(self) -> "CatalogRecord":
        _check_key(
            {
                "granule.cumulusGranuleId": self.granule.cumulus_granule_id,
                "collection.collectionId": self.collection.collection_id,
            }
        )
        return self


def _check_key(parts: Mapping[str, str]) -> None:
    """Check that an index can hold these texts, by their fields in the message, together."""
    if sum(map(len, parts.values())) <= _ALWAYS_FITS:
        return
    sizes = {name: len(text.encode()) for name, text in parts.items()}
    if (size := sum(sizes.values())) > LARGEST_KEY:
        longest = max(sizes, key=sizes.__getitem__)
        others = "".join(f" with {name}" for name in sizes if name != longest)
        raise PydanticCustomError(
            "catalog_key",
            "{longest} is too long:{others} it has {size} bytes; the keys of the tables take {most}",
            {"longest": longest, "others": others, "size": f"{size:,}", "most": f"{LARGEST_KEY:,}"},
        )


def decode(body: str) -> CatalogRecord:
    """Read the message in this body; on this queue the attributes do not matter.

    Raises:
        MalformedError: a field is missing or wrong.
    """
    return read(CatalogRecord, json_object(body), "catalog record")


def outgoing(document: Mapping[str, Any]) -> Outgoing:
    """The document as a message to the metadata queue, in a group of its own, as ORCA's producers send it."""
    body = dump(document)
    return Outgoing(body=body, group=f"{GROUP_PREFIX}{uuid4()}", deduplication_id=digest(body))
