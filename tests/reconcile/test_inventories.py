"""Inventories of every kind, sound and unsound, read by the child's own code."""

import errno
import gzip
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

import pytest

from orca_daemon.reconcile import compare, spool
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
def test_keys_of_any_kind_find_their_rows(bench: Bench, form: Form) -> None:
    bench.archive.catalog([Filed(key) for key in ODD_KEYS])

    found = bench.compare([Listed(key) for key in ODD_KEYS], form=form)

    assert isinstance(found, Compared)
    assert (found.matched, found.phantoms, found.orphans) == (len(ODD_KEYS), 0, 0)


@pytest.mark.parametrize("form", FORMS)
def test_odd_keys_come_into_the_reports_unharmed(bench: Bench, form: Form) -> None:
    bench.compare([Listed(key) for key in ODD_KEYS], form=form)

    job = bench.write()

    assert bench.archive.orphans(job) == set(ODD_KEYS)


def test_keys_may_be_encoded_with_per_cent_alone(bench: Bench) -> None:
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

    found = bench.compare_bytes(gzip.compress(f"{line}\n".encode()), schema=CURRENT_ONLY)

    assert isinstance(found, Compared)
    assert found.matched == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("schema", [ALL_VERSIONS, ALL_VERSIONS[::-1], CURRENT_ONLY, CURRENT_ONLY[::-1]])
def test_columns_may_come_in_any_order_and_versions_be_left_out(
    bench: Bench, form: Form, schema: tuple[str, ...]
) -> None:
    bench.archive.catalog([Filed("a"), Filed("b")])

    found = bench.compare([Listed("a"), Listed("b", "other")], form=form, schema=schema)

    assert isinstance(found, Compared)
    assert (found.matched, found.mismatched) == (1, 1)


@pytest.mark.parametrize("form", FORMS)
def test_old_versions_and_deleted_objects_are_absent(bench: Bench, form: Form) -> None:
    bench.archive.catalog([Filed("a"), Filed("deleted")])
    old = Listed("a", "old", latest=False)
    shadowed = Listed("deleted", latest=False)

    found = bench.compare([Listed("a"), old, Listed("deleted").gone(), shadowed], form=form)

    assert isinstance(found, Compared)
    assert (found.listed, found.matched, found.phantoms) == (1, 1, 1)


@pytest.mark.parametrize("form", ["CSV", "Parquet"])
def test_many_files_make_one_listing(bench: Bench, form: Form) -> None:
    bench.archive.catalog([Filed(f"k{i}") for i in range(20)])

    found = bench.compare(*[[Listed(f"k{i}")] for i in range(20)], form=form)

    assert isinstance(found, Compared)
    assert found.matched == 20


def test_rows_of_other_buckets_in_the_catalog_are_not_compared(bench: Bench) -> None:
    bench.archive.catalog([Filed("a"), Filed("a", bucket="another"), Filed("b", bucket="another")])

    found = bench.compare([Listed("a")])

    assert isinstance(found, Compared)
    assert (found.catalogued, found.matched, found.phantoms) == (1, 1, 0)


@pytest.mark.parametrize("form", FORMS)
def test_rows_of_another_bucket_are_refused(bench: Bench, form: Form) -> None:
    found = bench.compare([Listed("a"), Listed("b", bucket="another", latest=False)], form=form)

    assert found == ComparisonFailure(
        kind=FailureKind.REJECT, reason="inventory refused: it holds rows of another bucket"
    )


@pytest.mark.parametrize("form", FORMS)
def test_rows_without_a_key_are_not_compared(bench: Bench, form: Form) -> None:
    if form == "CSV":
        line = b'"archive",,"10","2026-01-01T00:00:00.000Z","e","GLACIER"\n'
        found = bench.compare_bytes(gzip.compress(line), schema=CURRENT_ONLY)
    else:
        nameless = replace(Listed("a"), key=None)  # type: ignore[arg-type]  # as no inventory should be
        found = bench.compare([nameless], form=form, schema=CURRENT_ONLY)

    assert isinstance(found, Compared)
    assert (found.listed, found.orphans, found.not_compared) == (1, 0, 1)
    assert [output.rpartition(": ")[2] for output in found.not_compared_examples] == ["it has no key"]


@pytest.mark.parametrize("files", [[], [[]], [[Listed("a").gone()]]])
def test_an_empty_listing_is_refused_while_the_catalog_is_not_empty(
    bench: Bench, files: list[list[Listed]]
) -> None:
    bench.archive.catalog([Filed("a")])

    found = bench.compare(*files)

    assert isinstance(found, ComparisonFailure)
    assert "it lists no object, but the catalog has 1" in found.reason


def test_an_empty_listing_is_accepted_where_a_setting_allows_it(bench: Bench) -> None:
    bench.archive.catalog([Filed("a")])
    bench.allow_empty = True

    found = bench.compare([])

    assert isinstance(found, Compared)
    assert found.phantoms == 1


def test_an_empty_listing_of_an_empty_catalog_is_fine(bench: Bench) -> None:
    found = bench.compare()

    assert found == Compared(listed=0, catalogued=0, matched=0, mismatched=0, phantoms=0, recent=0, orphans=0)


@pytest.mark.parametrize("catalog", [[], [Filed("a")], [Filed("a", '"other"')]])
def test_a_key_that_is_latest_twice_is_refused(bench: Bench, catalog: list[Filed]) -> None:
    bench.archive.catalog(catalog)

    found = bench.compare([Listed("a"), Listed("a", "other"), Listed("b")])

    assert found == ComparisonFailure(
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
def test_a_damaged_file_is_refused_without_showing_what_is_in_it(
    bench: Bench, body: bytes, reason: str
) -> None:
    found = bench.compare_bytes(body, schema=CURRENT_ONLY)

    assert found == ComparisonFailure(kind=FailureKind.REJECT, reason=f"inventory refused: {reason}")


def test_without_an_md5_the_checksum_of_gzip_itself_counts(bench: Bench) -> None:
    broken = bytearray(GOOD)
    broken[-6] ^= 0xFF

    found = bench.compare_bytes(bytes(broken), schema=CURRENT_ONLY, md5=None)

    assert isinstance(found, ComparisonFailure)
    assert "is not sound gzip" in found.reason


@pytest.mark.parametrize("form", ["Parquet", "ORC"])
def test_a_damaged_binary_file_is_refused(bench: Bench, form: Form) -> None:
    found = bench.compare_bytes(b"PAR1 or ORC, but not for long", form=form)

    assert isinstance(found, ComparisonFailure)
    assert found.kind == "reject"
    assert form in found.reason


def test_a_file_with_another_md5_is_refused_after_some_tries(bench: Bench) -> None:
    found = bench.compare_bytes(
        GOOD, schema=CURRENT_ONLY, md5=hashlib.md5(b"", usedforsecurity=False).hexdigest()
    )

    assert isinstance(found, ComparisonFailure)
    assert "the MD5 of the data file" in found.reason


def test_a_shorter_file_than_the_manifest_says_is_refused(bench: Bench) -> None:
    found = bench.compare_bytes(GOOD, schema=CURRENT_ONLY, size=len(GOOD) + 1)

    assert isinstance(found, ComparisonFailure)
    assert f"has {len(GOOD)} bytes, the manifest says {len(GOOD) + 1}" in found.reason


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
def test_what_is_no_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(ManifestError):
        parse(text)


def test_a_binary_inventory_without_a_needed_column_is_refused(bench: Bench) -> None:
    found = bench.compare([Listed("a")], form="Parquet", schema=("Bucket", "Key", "Size"))

    assert isinstance(found, ComparisonFailure)
    assert "lacks LastModifiedDate, ETag, StorageClass" in found.reason


def test_too_little_memory_is_reported(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "_OUTSIDE_DUCKDB", 10_000)
    monkeypatch.setattr(compare, "_LEAST", 2)
    rows = [Listed(f"{i:0200}") for i in range(20_000)]

    found = bench.compare(rows)

    assert isinstance(found, ComparisonFailure)
    assert found.reason == "the comparison needs more memory than reconcile.memory_mib: raise it"


def test_a_full_disk_is_not_taken_for_an_outage_of_s3(tmp_path: Path) -> None:
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


def test_a_disk_without_room_for_one_more_file_is_not_taken_for_an_outage_of_s3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_inodes(path: Path, _mode: str) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(spool, "FileIO", without_inodes)
    made = Spool(tmp_path, "CSV", None, 1000, lambda _: None, lambda *_: "")

    with pytest.raises(DiskFullError):
        made.fetch(0, Remote(key="k", size=100, md5=None, url="http://127.0.0.1:1/k"))


def test_a_disk_that_fills_while_orc_is_converted_is_no_fault_of_the_file(tmp_path: Path) -> None:
    source = tmp_path / "000000.orc"
    source.write_bytes(encoded("ORC", ALL_VERSIONS, [Listed("a")]))
    source.with_suffix(".parquet").symlink_to("/dev/full")

    with pytest.raises(OSError, match="No space left") as raised:
        as_parquet(source, "k")

    assert failure_of(raised.value, str(tmp_path / "folder")).kind == "room"


def test_several_gzip_members_without_an_md5_are_one_file(bench: Bench) -> None:
    lines = [f'"archive","k{i}","10","2026-01-01T00:00:00.000Z","e","GLACIER"\n'.encode() for i in range(2)]

    found = bench.compare_bytes(b"".join(map(gzip.compress, lines)), schema=CURRENT_ONLY, md5=None)

    assert isinstance(found, Compared)
    assert found.orphans == 2
