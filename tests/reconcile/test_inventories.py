"""Inventories of every format, valid and damaged, read by the child's own code."""

import errno
import gzip
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

import pytest

from orca_daemon.reconcile import engine, spool
from orca_daemon.reconcile.binary import as_parquet
from orca_daemon.reconcile.download import DiskFullError
from orca_daemon.reconcile.manifest import ManifestError, parse
from orca_daemon.reconcile.protocol import Compared, ComparisonFailure, FailureKind, Remote
from orca_daemon.reconcile.reasons import failure_of
from orca_daemon.reconcile.spool import Spool
from tests.reconcile.archive import ALL_VERSIONS, CURRENT_ONLY, Filed, Form, Listed, encoded
from tests.reconcile.conftest import Bench

FORMS: list[Form] = ["CSV", "Parquet", "ORC"]
ODD_KEYS = [
    "a/with space+plus.h5",
    "per%cent/%41.h5",
    "quote\"'comma,.h5",
    "line\nfeed\ttab\rreturn.h5",
    "ünïcödé/日本/🚀.h5",
    "back\\slash\\n.h5",
    " leading and trailing ",
    "\\N",
    "\\.",
    "\x01quote of ours\x01",
    "a//b/",
]


@pytest.mark.parametrize("form", FORMS)
def test_keys_with_special_characters_match_their_rows(bench: Bench, form: Form) -> None:
    bench.archive.catalog([Filed(key) for key in ODD_KEYS])

    result = bench.compare([Listed(key) for key in ODD_KEYS], form=form)

    assert isinstance(result, Compared)
    assert (result.matched, result.phantoms, result.orphans) == (len(ODD_KEYS), 0, 0)


@pytest.mark.parametrize("form", FORMS)
def test_keys_with_special_characters_are_reported_unchanged(bench: Bench, form: Form) -> None:
    bench.compare([Listed(key) for key in ODD_KEYS], form=form)

    job = bench.write()

    assert bench.archive.orphans(job) == set(ODD_KEYS)


def test_spaces_in_keys_may_be_encoded_as_percent_20(bench: Bench) -> None:
    bench.archive.catalog([Filed("a b+c/ü.h5")])
    line = ",".join(
        f'"{cell}"'
        for cell in (
            "archive",
            quote("a b+c/ü.h5", safe=""),
            "10",
            "2026-01-01T00:00:00.000Z",
            "e",
            "GLACIER",
        )
    )

    result = bench.compare_bytes(gzip.compress(f"{line}\n".encode()), schema=CURRENT_ONLY)

    assert isinstance(result, Compared)
    assert result.matched == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("schema", [ALL_VERSIONS, ALL_VERSIONS[::-1], CURRENT_ONLY, CURRENT_ONLY[::-1]])
def test_columns_may_come_in_any_order_and_versions_be_left_out(
    bench: Bench, form: Form, schema: tuple[str, ...]
) -> None:
    bench.archive.catalog([Filed("a"), Filed("b")])

    result = bench.compare([Listed("a"), Listed("b", "other")], form=form, schema=schema)

    assert isinstance(result, Compared)
    assert (result.matched, result.mismatched) == (1, 1)


@pytest.mark.parametrize("form", FORMS)
def test_old_versions_and_deleted_objects_are_absent(bench: Bench, form: Form) -> None:
    bench.archive.catalog([Filed("a"), Filed("deleted")])
    old = Listed("a", "old", latest=False)
    shadowed = Listed("deleted", latest=False)

    result = bench.compare([Listed("a"), old, Listed("deleted").gone(), shadowed], form=form)

    assert isinstance(result, Compared)
    assert (result.listed, result.matched, result.phantoms) == (1, 1, 1)


@pytest.mark.parametrize("form", ["CSV", "Parquet"])
def test_many_files_make_one_listing(bench: Bench, form: Form) -> None:
    bench.archive.catalog([Filed(f"k{i}") for i in range(20)])

    result = bench.compare(*[[Listed(f"k{i}")] for i in range(20)], form=form)

    assert isinstance(result, Compared)
    assert result.matched == 20


def test_rows_of_other_buckets_in_the_catalog_are_not_compared(bench: Bench) -> None:
    bench.archive.catalog([Filed("a"), Filed("a", bucket="another"), Filed("b", bucket="another")])

    result = bench.compare([Listed("a")])

    assert isinstance(result, Compared)
    assert (result.catalogued, result.matched, result.phantoms) == (1, 1, 0)


@pytest.mark.parametrize("form", FORMS)
def test_rows_of_another_bucket_are_refused(bench: Bench, form: Form) -> None:
    result = bench.compare([Listed("a"), Listed("b", bucket="another", latest=False)], form=form)

    assert result == ComparisonFailure(
        kind=FailureKind.REJECT, reason="inventory refused: it holds rows of another bucket"
    )


@pytest.mark.parametrize("form", FORMS)
def test_rows_without_a_key_are_not_compared(bench: Bench, form: Form) -> None:
    if form == "CSV":
        line = b'"archive",,"10","2026-01-01T00:00:00.000Z","e","GLACIER"\n'
        result = bench.compare_bytes(gzip.compress(line), schema=CURRENT_ONLY)
    else:
        nameless = replace(Listed("a"), key=None)  # type: ignore[arg-type]  # invalid on purpose
        result = bench.compare([nameless], form=form, schema=CURRENT_ONLY)

    assert isinstance(result, Compared)
    assert (result.listed, result.orphans, result.not_compared) == (1, 0, 1)
    assert [output.rpartition(": ")[2] for output in result.not_compared_examples] == ["it has no key"]


@pytest.mark.parametrize("files", [[], [[]], [[Listed("a").gone()]]])
def test_an_empty_listing_is_refused_while_the_catalog_is_not_empty(
    bench: Bench, files: list[list[Listed]]
) -> None:
    bench.archive.catalog([Filed("a")])

    result = bench.compare(*files)

    assert isinstance(result, ComparisonFailure)
    assert "it lists no object, but the catalog has 1" in result.reason


def test_an_empty_listing_is_accepted_if_a_setting_allows_it(bench: Bench) -> None:
    bench.archive.catalog([Filed("a")])
    bench.allow_empty = True

    result = bench.compare([])

    assert isinstance(result, Compared)
    assert result.phantoms == 1


def test_an_empty_listing_of_an_empty_catalog_is_fine(bench: Bench) -> None:
    result = bench.compare()

    assert result == Compared(
        listed=0, catalogued=0, matched=0, mismatched=0, phantoms=0, recent=0, orphans=0
    )


@pytest.mark.parametrize("catalog", [[], [Filed("a")], [Filed("a", '"other"')]])
def test_a_key_that_is_latest_twice_is_refused(bench: Bench, catalog: list[Filed]) -> None:
    bench.archive.catalog(catalog)

    result = bench.compare([Listed("a"), Listed("a", "other"), Listed("b")])

    assert result == ComparisonFailure(
        kind=FailureKind.REJECT,
        reason="inventory refused: it lists 1 keys more than once as their latest version",
    )


GOOD = gzip.compress(b'"archive","k","10","2026-01-01T00:00:00.000Z","e","GLACIER"\n' * 2000)


DAMAGED = {
    "half of it": (GOOD[: len(GOOD) // 2], "the data file data/0 is not sound gzip: it is cut off"),
    "no checksum": (GOOD[:-4], "the data file data/0 is not sound gzip: it is cut off"),
    "nothing": (b"", "the data file data/0 is not sound gzip: it is cut off"),
    "no gzip": (b"no gzip", "the data file data/0 is not sound gzip"),
    "too few columns": (
        gzip.compress(b'"archive","k","10"\n'),
        "the data file data/0 is not sound CSV at line 1",
    ),
    "too many columns": (
        gzip.compress(b'"archive","k","10","2026-01-01T00:00:00.000Z","e","GLACIER","more"\n'),
        "the data file data/0 is not sound CSV at line 1",
    ),
    "no UTF-8": (
        gzip.compress(b'"archive","k\xff","10","2026-01-01T00:00:00.000Z","e","GLACIER"\n'),
        "the data file data/0 is not sound CSV at line 1",
    ),
    "half a line": (
        gzip.compress(b'"archive","k","10","2026-01-01T00:0'),
        "the data file data/0 is not sound CSV at line 1",
    ),
    "a NUL byte": (
        gzip.compress(b'"archive","k","10"\n"archive","k\x00",10'),
        "line 2 of the data file data/0 holds a NUL character",
    ),
}


@pytest.mark.parametrize(("body", "reason"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused_without_quoting_its_content(
    bench: Bench, body: bytes, reason: str
) -> None:
    result = bench.compare_bytes(body, schema=CURRENT_ONLY)

    assert result == ComparisonFailure(kind=FailureKind.REJECT, reason=f"inventory refused: {reason}")


def test_without_an_md5_the_checksum_of_gzip_is_checked(bench: Bench) -> None:
    broken = bytearray(GOOD)
    broken[-6] ^= 0xFF

    result = bench.compare_bytes(bytes(broken), schema=CURRENT_ONLY, md5=None)

    assert isinstance(result, ComparisonFailure)
    assert "is not sound gzip" in result.reason


@pytest.mark.parametrize("form", ["Parquet", "ORC"])
def test_a_damaged_binary_file_is_refused(bench: Bench, form: Form) -> None:
    result = bench.compare_bytes(b"PAR1 or ORC, but not for long", form=form)

    assert isinstance(result, ComparisonFailure)
    assert result.kind == "reject"
    assert form in result.reason


def test_a_file_with_another_md5_is_refused_after_some_tries(bench: Bench) -> None:
    result = bench.compare_bytes(
        GOOD, schema=CURRENT_ONLY, md5=hashlib.md5(b"", usedforsecurity=False).hexdigest()
    )

    assert isinstance(result, ComparisonFailure)
    assert "the MD5 of the data file" in result.reason


def test_a_shorter_file_than_the_manifest_says_is_refused(bench: Bench) -> None:
    result = bench.compare_bytes(GOOD, schema=CURRENT_ONLY, size=len(GOOD) + 1)

    assert isinstance(result, ComparisonFailure)
    assert f"has {len(GOOD)} bytes, the manifest says {len(GOOD) + 1}" in result.reason


def test_a_missing_field_is_named() -> None:
    manifest = parse(
        b'{"sourceBucket": "bucket", "creationTimestamp": "0", "fileSchema": "Bucket, Key, Size"}'
    )

    with pytest.raises(ManifestError, match="lacks LastModifiedDate, ETag, StorageClass"):
        manifest.columns  # noqa: B018  a property that raises


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"sourceBucket": "", "creationTimestamp": "0"}',
        b'{"sourceBucket": "b"}',
        b"\xff",
        b'{"sourceBucket": "b", "creationTimestamp": "soon"}',
        b'{"sourceBucket": 1, "creationTimestamp": "0"}',
    ],
)
def test_a_document_that_is_not_a_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(ManifestError):
        parse(text)


def test_a_binary_inventory_without_a_needed_column_is_refused(bench: Bench) -> None:
    result = bench.compare([Listed("a")], form="Parquet", schema=("Bucket", "Key", "Size"))

    assert isinstance(result, ComparisonFailure)
    assert "lacks LastModifiedDate, ETag, StorageClass" in result.reason


def test_too_little_memory_is_reported(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_OUTSIDE_DUCKDB", 10_000)
    monkeypatch.setattr(engine, "LEAST", 2)
    rows = [Listed(f"{i:0200}") for i in range(20_000)]

    result = bench.compare(rows)

    assert isinstance(result, ComparisonFailure)
    assert result.reason == "the comparison needs more memory than reconcile.memory_mib: raise it"


def test_a_full_disk_is_not_reported_as_an_outage_of_s3(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 100)
    (tmp_path / "000000.csv").symlink_to("/dev/full")
    full = Spool(tmp_path, "CSV", None, 1000, lambda _: None, lambda *_: "")

    with pytest.raises(DiskFullError) as raised:
        full.fetch(0, Remote(key="k", size=100, md5=None, url=source.as_uri()))

    output = failure_of(raised.value, str(tmp_path / "folder"))
    assert output.kind == "room"
    assert re.fullmatch(
        rf"the disk of {tmp_path} \(reconcile.work_dir\) is full: [\d,]+ MiB are free", output.reason
    )


def test_a_disk_that_cannot_create_a_file_is_not_reported_as_an_outage_of_s3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_inodes(path: Path, _mode: str) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(spool, "FileIO", without_inodes)
    spool_of_one = Spool(tmp_path, "CSV", None, 1000, lambda _: None, lambda *_: "")

    with pytest.raises(DiskFullError):
        spool_of_one.fetch(0, Remote(key="k", size=100, md5=None, url="http://127.0.0.1:1/k"))


def test_a_disk_that_fills_while_orc_is_converted_does_not_refuse_the_file(tmp_path: Path) -> None:
    source = tmp_path / "000000.orc"
    source.write_bytes(encoded("ORC", ALL_VERSIONS, [Listed("a")]))
    source.with_suffix(".parquet").symlink_to("/dev/full")

    with pytest.raises(OSError, match="No space left") as raised:
        as_parquet(source, "k")

    assert failure_of(raised.value, str(tmp_path / "folder")).kind == "room"


def test_several_gzip_members_without_an_md5_are_one_file(bench: Bench) -> None:
    lines = [f'"archive","k{i}","10","2026-01-01T00:00:00.000Z","e","GLACIER"\n'.encode() for i in range(2)]

    result = bench.compare_bytes(b"".join(map(gzip.compress, lines)), schema=CURRENT_ONLY, md5=None)

    assert isinstance(result, Compared)
    assert result.orphans == 2
