"""Small inventories that unpack to very large ones: each is refused by name, within the memory limit."""

import gzip
import io
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import orc, parquet

from orca_daemon.engine.errors import Reject
from orca_daemon.reconcile import binary, inflate
from orca_daemon.reconcile.download import DataFileError
from orca_daemon.reconcile.inflate import LONGEST_LINE, Inflated
from orca_daemon.reconcile.manifest import MOST_BYTES, MOST_FILES, ManifestError, parse
from orca_daemon.reconcile.protocol import Compared, ComparisonFailure, FailureKind, Message
from orca_daemon.reconcile.run import Reconciler
from orca_daemon.settings import Settings
from orca_daemon.wire.inventory import InventoryPointer
from tests.reconcile.archive import CURRENT_ONLY, Archive, Form, Listed
from tests.reconcile.conftest import Bench

ROW = b'"archive","%06d","10","2026-01-01T00:00:00.000Z","e","GLACIER"\n'
LONG_ROW = ROW.replace(b"%06d", b"k" * 800)
MIB = 1 << 20


def streamed(tmp_path: Path, *bodies: bytes, most: int = 1 << 40) -> tuple[bytes, Inflated]:
    """The text that the reader of these gzip files gets, and the stream."""
    files = []
    for number, body in enumerate(bodies):
        path = tmp_path / f"{number}.gz"
        path.write_bytes(body)
        files.append((path, f"data/{number}"))
    stream = Inflated(files, most)
    stream.start()
    rows = Path(stream.path).read_bytes()
    stream.close()
    return rows, stream


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that are low enough for a fast test."""
    monkeypatch.setattr(inflate, "_FREE", MIB)
    monkeypatch.setattr(binary, "_FREE", MIB)
    monkeypatch.setattr(binary, "_BASE_ROWS", 10_000)


BOMBS = {
    "one line": b"k" * (4 * MIB),
    "zeros": bytes(4 * MIB),
    "commas": b"," * (4 * MIB),
    "quotes": b'""' * (2 * MIB),
    "newlines": b"\n" * (4 * MIB),
    "rows": LONG_ROW * 5000,
    "long keys": (b'"archive","' + b"k" * 900_000 + b'","10","2026","e","GLACIER"\n') * 4,
}


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_gzip_file_that_unpacks_to_too_much_is_refused(bench: Bench, text: bytes) -> None:
    result = bench.compare_bytes(gzip.compress(text), schema=CURRENT_ONLY)

    assert isinstance(result, ComparisonFailure)
    assert result.kind == "reject"
    assert "data/0" in result.reason


@pytest.mark.usefixtures("strict")
def test_the_ratio_counts_for_all_members_of_a_file_together(tmp_path: Path) -> None:
    _, stream = streamed(tmp_path, gzip.compress(LONG_ROW * 1000) * 10)

    with pytest.raises(DataFileError, match="data/0 unpacks to more than 250 times its size"):
        stream.check()


def test_all_files_together_have_a_limit(tmp_path: Path) -> None:
    body = gzip.compress(b"".join(ROW % i for i in range(1000)))

    rows, stream = streamed(tmp_path, body, body, most=100_000)

    assert len(rows) < 100_000
    with pytest.raises(DataFileError, match=r"unpack to more than reconcile\.listing_gib"):
        stream.check()


@pytest.mark.parametrize("length", [LONGEST_LINE, LONGEST_LINE + 1], ids=["as long as it may be", "longer"])
@pytest.mark.parametrize(
    "before", [0, MIB - 1, MIB - 40_000, MIB], ids=lambda before: f"after {before} bytes"
)
def test_the_length_of_a_line_is_limited_also_across_blocks(tmp_path: Path, length: int, before: int) -> None:
    filled = b"".join(b"x" * 99 + b"\n" for _ in range(before // 100)) + b"y" * (before % 100)
    text = filled + (b"\n" if before % 100 else b"") + b"z" * length + b"\nrest\n"

    rows, stream = streamed(tmp_path, gzip.compress(text))

    if length <= LONGEST_LINE:
        stream.check()
        assert rows == text
    else:
        line = text[: text.index(b"z")].count(b"\n") + 1
        with pytest.raises(DataFileError, match=f"line {line} of the data file data/0 has more than"):
            stream.check()


def test_files_are_joined_to_one_text_whatever_their_line_ends(tmp_path: Path) -> None:
    rows, stream = streamed(
        tmp_path,
        gzip.compress(b"\xef\xbb\xbfa\r\nb\r\n"),
        gzip.compress(b"c"),
        gzip.compress(b""),
        gzip.compress(b"\xef\xbb\xbfd\n") + gzip.compress(b"e\n"),
    )

    stream.check()
    assert rows == b"a\nb\nc\nd\ne\n"
    assert [stream.where(line) for line in (1, 2, 3, 4, 5)] == [
        ("data/0", 1),
        ("data/0", 2),
        ("data/1", 1),
        ("data/3", 1),
        ("data/3", 2),
    ]


def test_a_reader_that_stops_early_ends_the_stream(tmp_path: Path) -> None:
    path = tmp_path / "0.gz"
    path.write_bytes(gzip.compress(ROW % 1 * 100_000))
    stream = Inflated([(path, "data/0")], 1 << 40)
    stream.start()

    with Path(stream.path).open("rb") as pipe:
        pipe.read(10)
        stream.close()

    stream._thread.join(10)
    assert not stream._thread.is_alive()
    with pytest.raises(DataFileError, match="not read to their end"):
        stream.check()


async def test_a_megabyte_that_unpacks_to_a_gigabyte_takes_no_more_memory_than_the_setting(
    archive: Archive, reconciler: Reconciler, settings: Settings
) -> None:
    """In a real child: 1.2 MiB that unpack to 1.2 GiB of keys with 900,000 letters each."""
    row = b'"archive","' + b"k" * 900_000 + b'","10","2026-01-01T00:00:00.000Z","e","GLACIER"\n'
    body = gzip.compress(row * 70) * 20
    pointer = put(archive, body)
    options = settings.reconcile.model_copy(update={"memory_mib": 512})
    small = Reconciler(
        settings.model_copy(update={"reconcile": options}), reconciler._database, reconciler._s3
    )

    with pytest.raises(Reject, match=r"line 1 of the data file bomb/data\.csv\.gz has more than 65536 bytes"):
        await small.inventory(pointer)


def test_memory_of_the_daemon_is_not_taken_for_memory_of_the_child() -> None:
    child = "from orca_daemon.reconcile.child import peak_mib; print(peak_mib())"
    parent = """if True:
        import subprocess, sys
        large = b"x" * (700 << 20)
        subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
    """
    peak = subprocess.check_output([sys.executable, "-c", parent, child])
    assert 0 < int(peak) < 600


def put(archive: Archive, body: bytes) -> InventoryPointer:
    archive.s3.put_object(Bucket=archive.reports, Key="bomb/data.csv.gz", Body=body)
    return archive.inventory(schema=CURRENT_ONLY, files=[{"key": "bomb/data.csv.gz", "size": len(body)}])


def table(rows: int, key: str = "k") -> pa.Table:
    constant: dict[str, Any] = {
        "bucket": "archive", "key": key, "size": 1, "e_tag": "e", "storage_class": "GLACIER",
    }  # fmt: skip
    moments = pa.array([0], pa.timestamp("ms", "UTC"))
    columns = {name: pa.array([value]) for name, value in constant.items()} | {"last_modified_date": moments}
    return pa.table(columns).take(pa.array([0] * rows))


def written(form: Form, rows: pa.Table) -> bytes:
    target = io.BytesIO()
    write: Callable[..., None] = parquet.write_table if form == "Parquet" else orc.write_table
    write(rows, target, compression="zstd")
    return target.getvalue()


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("form", ["Parquet", "ORC"])
@pytest.mark.parametrize(
    ("rows", "output"),
    [
        (table(200_000), "holds more than 10 rows for each of its bytes"),
        (table(5000, "k" * 10_000), "unpacks to more than 250 times its size"),
    ],
    ids=["rows", "bytes"],
)
def test_a_binary_file_that_unpacks_to_too_much_is_refused(
    bench: Bench, form: Form, rows: pa.Table, output: str
) -> None:
    if form == "Parquet" and output.startswith("unpacks"):
        # Without a dictionary, which would hold the one value only once.
        target = io.BytesIO()
        parquet.write_table(rows, target, compression="zstd", use_dictionary=False)
        body = target.getvalue()
    else:
        body = written(form, rows)

    result = bench.compare_bytes(body, form=form, schema=CURRENT_ONLY)

    assert result == ComparisonFailure(
        kind=FailureKind.REJECT, reason=f"inventory refused: the data file data/0 {output}"
    )


def test_a_footer_that_claims_to_be_larger_than_its_file_is_refused(bench: Bench) -> None:
    body = written("Parquet", table(1))
    lying = body[:-8] + (1 << 30).to_bytes(4, "little") + b"PAR1"

    result = bench.compare_bytes(lying, form="Parquet", schema=CURRENT_ONLY)

    assert result == ComparisonFailure(
        kind=FailureKind.REJECT, reason="inventory refused: the data file data/0 is not sound Parquet"
    )


def test_a_child_that_exceeds_its_memory_reports_that_and_ends() -> None:
    script = "from orca_daemon.reconcile import child; child._watch_memory(1)"

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert '"kind": "reject"' in ended.stdout
    assert "needs more memory than reconcile.memory_mib" in ended.stdout


@pytest.mark.parametrize(
    ("text", "output"),
    [
        (b" " * (MOST_BYTES + 1), "larger than 16 MiB"),
        (b"[" * 100_000, "is not JSON with a sourceBucket"),
        (b'{"a":' * 100_000, "is not JSON with a sourceBucket"),
    ],
    ids=["large", "nested arrays", "nested objects"],
)
def test_a_manifest_has_limits(text: bytes, output: str) -> None:
    with pytest.raises(ManifestError, match=output):
        parse(text)


def test_the_number_of_files_in_a_manifest_is_limited() -> None:
    many = b",".join([b'{"key":"k"}'] * (MOST_FILES + 1))
    manifest = parse(b'{"sourceBucket":"bucket","creationTimestamp":"0","files":[' + many + b"]}")

    with pytest.raises(ManifestError, match=r"files are more than 20,000"):
        manifest.files  # noqa: B018  a property that raises


async def test_a_manifest_that_is_too_large_is_not_read_whole(
    archive: Archive, reconciler: Reconciler
) -> None:
    messages: list[Message] = []
    pointer = archive.inventory([Listed("a")], padding="x" * MOST_BYTES)

    with pytest.raises(Reject, match="the manifest is larger than 16 MiB"):
        await reconciler.inventory(pointer, on_message=messages.append)

    assert messages == []


def test_a_listing_of_many_files_is_read_in_their_order(bench: Bench) -> None:
    result = bench.compare(*[[Listed(f"{file}-{row}") for row in range(50)] for file in range(30)])

    assert isinstance(result, Compared)
    assert result.orphans == 1500


def test_a_file_that_is_cut_off_anywhere_is_never_taken_as_complete(tmp_path: Path) -> None:
    complete = gzip.compress(b"".join(ROW % i for i in range(500)))
    for length in range(0, len(complete), 97):
        _, stream = streamed(tmp_path, complete[:length])
        with pytest.raises(DataFileError):
            stream.check()
    assert zlib.crc32(streamed(tmp_path, complete)[0]) == zlib.crc32(gzip.decompress(complete))
