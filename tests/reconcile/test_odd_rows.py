"""A row that cannot be compared or stored is named, and does not affect the comparison of the other rows."""

import gzip
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import orc, parquet
from typer.testing import CliRunner

from orca_daemon.cli import app
from orca_daemon.engine.errors import Reject
from orca_daemon.reconcile.inventory import read
from orca_daemon.reconcile.manifest import FIELDS, ManifestError, parse
from orca_daemon.reconcile.protocol import Compared, ComparisonFailure, FailureKind
from orca_daemon.reconcile.run import Reconciler
from orca_daemon.settings import Settings
from tests.reconcile.archive import CURRENT_ONLY, LONG_AGO, Archive, Filed, Form, Listed
from tests.reconcile.conftest import Bench
from tests.roles import login

UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)
VERSIONS = ("Bucket", "Key", "IsLatest", "IsDeleteMarker", "Size", "LastModifiedDate", "ETag", "StorageClass")


def line(key: str = "k", **fields: str) -> str:
    cells = {
        "Bucket": "archive",
        "Key": key,
        "IsLatest": "true",
        "IsDeleteMarker": "false",
        "Size": "10",
        "LastModifiedDate": "2026-01-01T00:00:00.000Z",
        "ETag": "e",
        "StorageClass": "GLACIER",
    } | fields
    return ",".join(f'"{cells[name]}"' for name in VERSIONS) + "\n"


def compare(bench: Bench, *lines: str) -> Compared | ComparisonFailure:
    return bench.compare_bytes(gzip.compress("".join(lines).encode()), schema=VERSIONS)


ODD = {
    "NUL": (line("a%00b"), "its key holds a NUL character"),
    "Latin-1": (line("caf%E9.h5"), "its key is not UTF-8"),
    "half a surrogate pair": (line("%ED%A0%80"), "its key is not UTF-8"),
    "too long": (line("k" * 1025), "its key has more than 1024 bytes"),
    "too long decoded": (line("%C3%BC" * 513), "its key has more than 1024 bytes"),
    "no key": (line(""), "it has no key"),
    "a size in words": (line("odd", Size="ten"), "its size is not a number"),
    "a size past all numbers": (line("odd", Size="9" * 30), "its size is not a number"),
    "a flag in words": (
        line("odd", IsLatest="maybe"),
        "IsLatest or IsDeleteMarker is neither true nor false",
    ),
}


@pytest.mark.parametrize(("odd", "output"), ODD.values(), ids=ODD)
def test_all_other_rows_are_compared_and_the_odd_row_is_reported(bench: Bench, odd: str, output: str) -> None:
    bench.archive.catalog([Filed("same"), Filed("gone"), Filed("odd")])

    result = compare(bench, line("same"), line("new"), odd)

    assert isinstance(result, Compared)
    assert (result.listed, result.matched, result.not_compared) == (3, 1, 1)
    assert result.not_compared_examples in {(f"data/0 line 3: {output}",), (f"data/0 line 1: {output}",)}
    job = bench.write()
    assert bench.archive.orphans(job) == {"new"}
    # A row of an existing object is not reported as a phantom, whatever its problem is.
    assert bench.archive.phantoms(job) == {"gone"} | (set() if '"odd"' in odd else {"odd"})
    assert bench.archive.mismatches(job) == {}
    note = f"1 listed objects could not be compared: {result.not_compared_examples[0]}"
    assert bench.archive.job(job) == (5, True, note)


def test_an_odd_key_that_the_catalog_has_unchanged_is_not_reported_as_a_phantom(bench: Bench) -> None:
    bench.archive.catalog([Filed("caf%E9.h5"), Filed("a%00b")])

    result = compare(bench, line("caf%E9.h5"), line("a%00b"))

    assert isinstance(result, Compared)
    assert (result.not_compared, result.phantoms, result.orphans) == (2, 0, 0)


def test_odd_rows_of_several_files_are_reported_with_file_and_line(bench: Bench) -> None:
    first, second = line("k") * 1 + line("j"), line("l") + line("a%00b") + line("caf%E9")
    bodies = [gzip.compress(text.encode()) for text in (first, second)]

    result = bench._compare(bodies, "CSV", VERSIONS)

    assert isinstance(result, Compared)
    assert sorted(result.not_compared_examples) == [
        "data/1 line 2: its key holds a NUL character",
        "data/1 line 3: its key is not UTF-8",
    ]


def test_a_listing_with_too_many_odd_rows_is_refused(bench: Bench) -> None:
    result = compare(bench, *(line(f"k{number}", Size="x") for number in range(150)), line("k"))

    assert result == ComparisonFailure(
        kind=FailureKind.REJECT,
        reason="inventory refused: 150 of its 151 objects cannot be compared; "
        "mostly, its size is not a number",
    )


def test_old_versions_with_odd_values_are_ignored(bench: Bench) -> None:
    result = compare(bench, line("k"), line("a%00b", IsLatest="false"), line("x", IsDeleteMarker="true"))

    assert isinstance(result, Compared)
    assert (result.listed, result.not_compared) == (1, 0)


@pytest.mark.parametrize("flag", ["", "TRUE", "True"])
def test_a_flag_may_be_empty_or_in_capitals(bench: Bench, flag: str) -> None:
    result = compare(bench, line("k", IsLatest=flag, IsDeleteMarker="" if not flag else "False"))

    assert isinstance(result, Compared)
    assert (result.listed, result.not_compared) == (1, 0)


@pytest.mark.parametrize(
    "modified", ["", "soon", "infinity", "1969-12-31T23:59:59.999Z", "29999-01-01T00:00:00Z"]
)
def test_an_orphan_without_a_time_is_reported_with_the_time_1970(bench: Bench, modified: str) -> None:
    bench.archive.catalog([Filed("changed", '"other"')])

    result = compare(
        bench, line("new", LastModifiedDate=modified), line("changed", LastModifiedDate=modified)
    )

    assert isinstance(result, Compared)
    job = bench.write()
    for table, column in (("orphan_report", "last_update"), ("catalog_mismatch_report", "s3_last_update")):
        assert bench.archive.rows(f"SELECT {column} FROM orca.reconcile_{table} WHERE job_id = %s", job) == [
            (UNKNOWN,)
        ]


def test_times_are_stored_to_the_microsecond(bench: Bench) -> None:
    compare(bench, line("new", LastModifiedDate="2026-01-02T03:04:05.678901Z"))

    assert bench.archive.rows("SELECT last_update FROM orca.reconcile_orphan_report") == []
    bench.write()
    assert bench.archive.rows("SELECT last_update FROM orca.reconcile_orphan_report") == [
        (datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),)
    ]


def binary(form: Form, columns: dict[str, pa.Array]) -> bytes:
    target = io.BytesIO()
    (parquet if form == "Parquet" else orc).write_table(pa.table(columns), target)
    return target.getvalue()


TEXT = pa.string()


def columns(keys: Sequence[Any], kind: pa.DataType = TEXT, **other: pa.Array) -> dict[str, pa.Array]:
    count = len(keys)
    return {
        "bucket": pa.array(["archive"] * count, kind),
        "key": pa.array(keys, kind),
        "size": pa.array([10] * count),
        "last_modified_date": pa.array([LONG_AGO] * count, pa.timestamp("ms", "UTC")),
        "e_tag": pa.array(["e"] * count, kind),
        "storage_class": pa.array(["GLACIER"] * count, kind),
    } | other


@pytest.mark.parametrize("form", ["Parquet", "ORC"])
def test_binary_formats_have_odd_rows_too(bench: Bench, form: Form) -> None:
    bench.archive.catalog([Filed("same"), Filed("gone")])
    keys = ["same", "a\0b", "k" * 1025, None, "new"]

    result = bench.compare_bytes(binary(form, columns(keys)), form=form, schema=CURRENT_ONLY)

    assert isinstance(result, Compared)
    assert (result.matched, result.phantoms, result.orphans, result.not_compared) == (1, 1, 1, 3)
    assert sorted(result.not_compared_examples) == [
        "data/0 row 2: its key holds a NUL character",
        "data/0 row 3: its key has more than 1024 bytes",
        "data/0 row 4: it has no key",
    ]


def test_parquet_columns_of_bytes_are_read_as_text(bench: Bench) -> None:
    bench.archive.catalog([Filed("ü")])
    keys = ["ü".encode(), b"caf\xe9", b"a\0b"]

    result = bench.compare_bytes(
        binary("Parquet", columns(keys, pa.binary())), form="Parquet", schema=CURRENT_ONLY
    )

    assert isinstance(result, Compared)
    assert (result.matched, result.orphans, result.not_compared) == (1, 0, 2)
    assert sorted(result.not_compared_examples) == [
        "data/0 row 2: its key is not UTF-8",
        "data/0 row 3: its key holds a NUL character",
    ]


@pytest.mark.parametrize(
    ("other", "matched"),
    [
        ({"size": pa.array(["10"])}, 1),
        ({"size": pa.array([10], pa.int32())}, 1),
        ({"last_modified_date": pa.array(["2026-01-01T00:00:00.000Z"])}, 1),
        ({"last_modified_date": pa.array([None], pa.timestamp("us"))}, 1),
        ({"is_latest": pa.array(["true"]), "is_delete_marker": pa.array([""])}, 1),
        ({"is_latest": pa.array([None], pa.bool_())}, 1),
        ({"is_latest": pa.array([False])}, 0),
    ],
    ids=[
        "size as text",
        "small size",
        "time as text",
        "no time",
        "flags as text",
        "no flag",
        "not the latest",
    ],
)
def test_columns_of_other_types_are_read(bench: Bench, other: dict[str, pa.Array], matched: int) -> None:
    bench.archive.catalog([Filed("k")])
    bench.allow_empty = True

    result = bench.compare_bytes(
        binary("Parquet", columns(["k"], **other)), form="Parquet", schema=CURRENT_ONLY
    )

    assert isinstance(result, Compared)
    assert (result.matched, result.not_compared) == (matched, 0)


def test_a_column_that_cannot_be_read_is_named(bench: Bench) -> None:
    numbers = columns(["k"], e_tag=pa.array([1.5]))

    result = bench.compare_bytes(binary("Parquet", numbers), form="Parquet", schema=CURRENT_ONLY)

    assert isinstance(result, ComparisonFailure)
    assert result.reason == (
        "inventory refused: the column e_tag of a data file is of type DOUBLE, which is not text"
    )


@pytest.mark.parametrize("form", ["Parquet", "ORC"])
def test_files_that_differ_in_a_flag_are_refused(bench: Bench, form: Form) -> None:
    bench.archive.catalog([Filed("k"), Filed("deleted")])
    without = columns(["k"])
    marked = columns(["deleted"], is_delete_marker=pa.array([True]))

    result = bench._compare([binary(form, without), binary(form, marked)], form, CURRENT_ONLY)

    reason = "inventory refused: its data files differ in the column is_delete_marker"
    assert result == ComparisonFailure(kind=FailureKind.REJECT, reason=reason)


@pytest.mark.parametrize("first", [TEXT, pa.binary()], ids=["text", "bytes"])
def test_files_that_differ_in_the_type_of_keys_are_refused(bench: Bench, first: pa.DataType) -> None:
    other = TEXT if first == pa.binary() else pa.binary()
    bodies = [binary("Parquet", columns(["ü".encode()], kind)) for kind in (first, other)]

    result = bench._compare(bodies, "Parquet", CURRENT_ONLY)

    assert isinstance(result, ComparisonFailure)
    assert "its data files differ in the column" in result.reason


def test_files_may_differ_in_columns_that_are_not_read_and_in_their_order(bench: Bench) -> None:
    bench.archive.catalog([Filed("a"), Filed("b")])
    other = dict(reversed(columns(["b"], size=pa.array([10], pa.int32())).items()))
    bodies = [binary("Parquet", each) for each in (columns(["a"], extra=pa.array([1])), other)]

    result = bench._compare(bodies, "Parquet", CURRENT_ONLY)

    assert isinstance(result, Compared)
    assert (result.matched, result.listed) == (2, 2)


def test_a_work_directory_named_like_a_hive_partition_changes_no_row(bench: Bench) -> None:
    bench.folder = bench.folder / "key=z"
    bench.folder.mkdir()
    bench.archive.catalog([Filed("a"), Filed("b")])

    result = bench.compare_bytes(binary("Parquet", columns(["a", "b"])), form="Parquet", schema=CURRENT_ONLY)

    assert isinstance(result, Compared)
    assert (result.matched, result.phantoms) == (2, 0)


def test_a_row_that_quotes_our_error_is_not_copied_into_the_reason(bench: Bench) -> None:
    result = compare(bench, line("inventory refused: it holds secrets").rstrip("\n") + ',"more"\n')

    assert result == ComparisonFailure(
        kind=FailureKind.REJECT, reason="inventory refused: the data file data/0 is not sound CSV at line 1"
    )


class TestManifest:
    @pytest.mark.parametrize(
        "name",
        ["", "a b", "a/b", "bücket", "a\0b", "\ud800bucket", "-bucket", "b" * 256, 7, None, ["bucket"]],
        ids=[
            "empty", "blank", "slash", "umlaut", "NUL", "half a pair", "dash", "long", "number",
            "null", "list",
        ],
    )  # fmt: skip
    def test_a_text_that_cannot_name_a_bucket_is_refused(self, name: object) -> None:
        text = json.dumps({"sourceBucket": name, "creationTimestamp": "0"}).encode()

        with pytest.raises(ManifestError, match="sourceBucket is not the name of a bucket"):
            parse(text)

    @pytest.mark.parametrize("name", ["abc", "my.archive-1", "Old_Bucket", "b" * 255])
    def test_the_name_of_a_bucket_is_accepted(self, name: str) -> None:
        text = json.dumps({"sourceBucket": name, "creationTimestamp": "0"}).encode()

        assert parse(text).bucket == name

    @pytest.mark.parametrize(
        ("entry", "output"),
        [
            ({"key": "a\0b"}, r"files\[1\]\.key holds a NUL character"),
            ({"key": "\ud800"}, r"files\[1\]\.key holds half of a surrogate pair"),
            ({"key": "k" * 1025}, r"files\[1\]\.key has 1,025 bytes"),
            ({"key": ""}, r"files\[1\]\.key is empty"),
            ({"key": 7}, r"files\[1\] has no key"),
            ("k", r"files\[1\] is not an object"),
            ({"key": "k", "size": -1}, r"files\[1\]\.size is not the size of an object"),
            ({"key": "k", "size": 10**20}, r"files\[1\]\.size is not the size of an object"),
            ({"key": "k", "MD5checksum": "é"}, r"files\[1\]\.MD5checksum is not an MD5"),
        ],
        ids=lambda value: value if isinstance(value, str) and value.startswith("files") else "",
    )
    def test_an_invalid_data_file_is_named(self, entry: object, output: str) -> None:
        manifest = parse(
            json.dumps(
                {"sourceBucket": "bucket", "creationTimestamp": "0", "files": [{"key": "k"}, entry]}
            ).encode()
        )

        with pytest.raises(ManifestError, match=output):
            manifest.files  # noqa: B018  a property that raises

    def test_a_column_that_is_named_twice_is_refused(self) -> None:
        schema = ", ".join([*FIELDS, "Key"])
        manifest = parse(
            json.dumps({"sourceBucket": "bucket", "creationTimestamp": "0", "fileSchema": schema}).encode()
        )

        with pytest.raises(ManifestError, match="fileSchema names Key more than once"):
            manifest.columns  # noqa: B018  a property that raises

    @pytest.mark.parametrize("name", ["arch\0ive", "arch\ud800ive"], ids=["NUL", "half a pair"])
    async def test_giving_up_on_it_never_fails(
        self, archive: Archive, reconciler: Reconciler, name: str
    ) -> None:
        pointer = archive.inventory([Listed("a")], sourceBucket=name)
        with pytest.raises(Reject, match="sourceBucket"):
            await reconciler.inventory(pointer)

        await reconciler.give_up(pointer, "refused")

        assert archive.rows("SELECT 1 FROM orca.reconcile_job") == []

    async def test_the_storable_part_of_a_reason_is_written(
        self, archive: Archive, reconciler: Reconciler
    ) -> None:
        await reconciler.give_up(archive.inventory([Listed("a")]), "no \0 and no \ud800")

        assert archive.job(1) == (4, True, "no \N{REPLACEMENT CHARACTER} and no ?")

    async def test_a_large_manifest_is_read_to_its_end(
        self, archive: Archive, reconciler: Reconciler
    ) -> None:
        pointer = archive.inventory([Listed("a")], padding="x" * 3_000_000)

        manifest = await read(reconciler._s3, pointer)

        assert len(manifest.document["padding"]) == 3_000_000


async def test_the_job_says_what_was_not_compared(archive: Archive, reconciler: Reconciler) -> None:
    body = gzip.compress((line("k") + line("a%00b")).encode())
    archive.s3.put_object(Bucket=archive.reports, Key="data.csv.gz", Body=body)
    pointer = archive.inventory(schema=VERSIONS, files=[{"key": "data.csv.gz", "size": len(body)}])

    outcome = await reconciler.inventory(pointer)

    note = "1 listed objects could not be compared: data.csv.gz line 2: its key holds a NUL character"
    assert archive.job(outcome.job) == (5, True, note)


def test_the_command_prints_what_was_not_compared(
    archive: Archive, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = gzip.compress((line("k") + line("a%00b")).encode())
    archive.s3.put_object(Bucket=archive.reports, Key="data.csv.gz", Body=body)
    pointer = archive.inventory(schema=VERSIONS, files=[{"key": "data.csv.gz", "size": len(body)}])
    assert settings.database.url is not None
    monkeypatch.setenv("DATABASE_URL", settings.database.url.get_secret_value())
    monkeypatch.setenv("AWS_ENDPOINT_URL", settings.aws.endpoint_url or "")
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    uri = f"s3://{pointer.report_bucket_name}/{pointer.manifest_key}"

    output_text = CliRunner().invoke(app, ["reconcile", uri])
    as_json = CliRunner().invoke(app, ["reconcile", uri, "--json"])

    assert "could not be compared" in output_text.stdout
    assert "not compared: data.csv.gz line 2: its key holds a NUL character" in output_text.stderr
    assert json.loads(as_json.stdout)["compared"]["not_compared"] == 1
    assert json.loads(as_json.stdout)["compared"]["not_compared_examples"] == [
        "data.csv.gz line 2: its key holds a NUL character"
    ]


class TestCatalog:
    """An error of the database is never read as an empty catalog."""

    @pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
    def test_an_encoding_that_the_database_prescribes_changes_nothing(
        self, bench: Bench, encoding: str
    ) -> None:
        self._set(bench, f"client_encoding TO '{encoding}'")
        bench.archive.catalog([Filed("plain"), Filed("ünïcödé/日本")])

        result = bench.compare([Listed("plain"), Listed("ünïcödé/日本")])

        assert isinstance(result, Compared)
        assert (result.catalogued, result.matched, result.orphans) == (2, 2, 0)

    def test_backslashes_that_the_database_escapes_change_nothing(self, bench: Bench) -> None:
        self._set(bench, "standard_conforming_strings TO off")

        bench.compare([Listed("back\\slash\\N")])

        assert bench.archive.orphans(bench.write()) == {"back\\slash\\N"}

    def test_rows_that_are_hidden_from_the_role_are_an_error(self, bench: Bench) -> None:
        bench.archive.catalog([Filed("seen"), Filed("hidden")])
        bench.archive.execute("ALTER TABLE orca.files ENABLE ROW LEVEL SECURITY")
        bench.archive.execute("CREATE POLICY few ON orca.files USING (key_path = 'seen')")
        bench.archive.execute("CREATE ROLE kept_short LOGIN")
        try:
            bench.archive.execute("GRANT orca_app TO kept_short")
            result = self._as(bench, "kept_short").compare([Listed("seen"), Listed("hidden")])
        finally:
            bench.archive.execute("DROP OWNED BY kept_short")
            bench.archive.execute("DROP ROLE kept_short")

        assert isinstance(result, ComparisonFailure)
        assert (result.kind, result.sqlstate) == ("sql", "42501")
        assert 'row-level security policy for table "files"' in result.reason

    def _set(self, bench: Bench, what: str) -> None:
        ((name,),) = bench.archive.rows("SELECT current_database()")
        bench.archive.execute(f'ALTER DATABASE "{name}" SET {what}')

    def _as(self, bench: Bench, role: str) -> Bench:
        url = bench.settings.database.url
        assert url is not None
        there = login(url.get_secret_value(), role)
        options = bench.settings.model_copy(
            update={"database": bench.settings.database.model_validate({"url": there})}
        )
        return Bench(bench.archive, options, bench.folder)
