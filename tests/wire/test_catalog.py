"""Catalog records: what is read, and what is refused with the field's name."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from orca_daemon.wire import catalog
from orca_daemon.wire.catalog import LARGEST_KEY
from orca_daemon.wire.wire_model import MalformedError
from tests.queues.catalog.messages import body, file

Change = Callable[[dict[str, Any]], Any]


def decode(document: dict[str, Any]) -> catalog.CatalogRecord:
    return catalog.decode(json.dumps(document))


def test_every_field_of_the_contract_is_read() -> None:
    document = body(file(hash="1f", hashType="md5"), providerId="declared and ignored")
    record = decode(document)
    assert (record.provider.provider_id, record.provider.name) == ("p", None)
    assert record.collection.model_dump() == {"collection_id": "C___001", "shortname": "C", "version": "001"}
    granule = record.granule
    assert (granule.cumulus_granule_id, granule.execution_id) == ("g1", "ex")
    assert granule.cumulus_create_time == datetime(2023, 1, 1, 0, 0, 0, 123000, tzinfo=UTC)
    (read,) = granule.files
    assert read.model_dump(mode="json", by_alias=True) == document["granule"]["files"][0]


def test_a_granule_may_have_no_files() -> None:
    assert decode(body()).granule.files == ()


@pytest.mark.parametrize("size", [0, -1, 3.0, 2**63 - 1, -(2**63)])
def test_a_size_is_an_integer_as_in_json_schema(size: float) -> None:
    assert decode(body(file(sizeInBytes=size))).granule.files[0].size_in_bytes == size


REQUIRED: list[tuple[str, ...]] = [
    *[("provider", name) for name in ("providerId", "name")],
    *[("collection", name) for name in ("collectionId", "shortname", "version")],
    *[("granule", name) for name in body()["granule"]],
    *[("granule", "files", name) for name in file()],
    ("provider",),
    ("collection",),
    ("granule",),
]


@pytest.mark.parametrize("path", REQUIRED, ids=".".join)
def test_each_field_is_required(path: tuple[str, ...]) -> None:
    document = body(file("a"), file("b"))
    container: Any = document
    for name in path[:-1]:
        container = container[name] if name != "files" else container[name][1]
    del container[path[-1]]
    with pytest.raises(MalformedError, match=f"{path[-1]} is missing"):
        decode(document)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (file(sizeInBytes=2**63), r"files\[0\].sizeInBytes is not in the range of int8"),
        (file(sizeInBytes=float("nan")), r"files\[0\].sizeInBytes is not in the range of int8"),
        (file(sizeInBytes=1.5), r"files\[0\].sizeInBytes is not an integer"),
        (file(sizeInBytes=True), r"files\[0\].sizeInBytes is not an integer"),
        (file(sizeInBytes="6"), r"files\[0\].sizeInBytes is not an integer"),
        (file(etag="a\0"), r"files\[0\].etag holds a NUL character"),
        (file(name="a\ud800"), r"files\[0\].name holds half of a surrogate pair"),
        (file(version=None), r"files\[0\].version is not a string"),
        (file(ingestTime="2026-11-20T12:00:00Z"), r"files\[0\].ingestTime is not a time of the form"),
        (
            file("k" * LARGEST_KEY),
            r"keyPath is too long: with cumulusArchiveLocation it has 2,691 bytes",
        ),
        (
            file("k", orcaArchiveLocation="é" * 2000),
            r"files\[0\] orcaArchiveLocation is too long: with keyPath it has 4,001 bytes",
        ),
    ],
    ids=[
        *("too large", "nan", "a fraction", "true", "a text", "NUL", "half a pair", "null"),
        *("a plain Z", "a long key", "a long bucket"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_the_field(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(MalformedError, match=sentence):
        decode(body(wrong))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda document: document["provider"].update(providerId="é" * 1400),
            "providerId is too long: it",
        ),
        (lambda document: document["collection"].update(collectionId="c" * 3000), "collectionId is too long"),
        (
            lambda document: document["granule"].update(cumulusGranuleId="g" * LARGEST_KEY),
            "granule.cumulusGranuleId is too long: with collection.collectionId",
        ),
        (lambda document: document.update(granule=[]), "granule is not an object"),
        (lambda document: document["granule"].update(files={}), "granule.files is not an array"),
    ],
    ids=["provider", "collection", "granule", "no object", "no array"],
)
def test_what_no_row_can_hold_is_refused(change: Change, sentence: str) -> None:
    document = body(file())
    change(document)
    with pytest.raises(MalformedError, match=sentence):
        decode(document)
