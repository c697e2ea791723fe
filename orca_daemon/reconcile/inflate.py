"""The rows of gzip files as one stream of CSV, within limits, for a reader that trusts its input.

DuckDB reads gzip by itself, but takes everything: a megabyte that becomes a line of a gigabyte, zeros for no
rows at all, a file without its checksum.  Here each byte is looked at on its way, once; and a complaint about
line 4,000,017 of it all becomes one about a line of a file.
"""

import fcntl
import os
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path

from orca_daemon.reconcile.download import DataFileError

LONGEST_LINE = 64 << 10
"""Bytes: a key of S3 has 1,024, thrice that when it is encoded, and the other fields are short."""
_RATIO, _FREE = 250, 64 << 20
"""What a file may become for each of its bytes, beside what any file may.  Inventories come to 5 to 30."""
_READ = 64 << 10
_BLOCK = 1 << 20
_PIPE = 1 << 20
_GZIP = 31
_BOM = b"\xef\xbb\xbf"


class Inflated:
    """All rows of some files, read once, from the path of a pipe.

    Args:
        files: where they lie, and the names that errors give them.
        most: bytes that all of them may become.
    """

    def __init__(self, files: Sequence[tuple[Path, str]], most: int) -> None:
        self._files, self._most = files, most
        self._inlet, self._outlet = _pipe()
        self.error: BaseException | None = None
        """What ended the stream early."""
        self._ended = False
        self._bytes = 0
        self._thread = threading.Thread(target=self._write, name="inflate", daemon=True)

    @property
    def path(self) -> str:
        """What the reader opens, once."""
        return f"/dev/fd/{self._inlet}"

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """End it, wherever it is: a writer to a pipe without a reader gets an error."""
        os.close(self._inlet)

    def check(self) -> None:
        """Raise what ended the stream: to its reader, it looks like the end of the rows.

        Raises:
            DataFileError: a file is damaged, or too large, or was not read.
        """
        if self.error is not None:
            raise self.error
        if not self._ended:
            raise DataFileError("the data files were not read to their end")

    def where(self, line: int) -> tuple[str, int]:
        """The name of the file that a line of the stream is from, and the line in it; both count from 1.

        It is found by counting once more: while all is well, nobody asks.
        """
        for path, name in self._files:
            lines, last = 0, b"\n"
            for block in unpacked(path, name):
                lines += block.count(b"\n")
                last = block[-1:]
            lines += last != b"\n"
            if line <= lines:
                break
            line -= lines
        return name, line

    def _write(self) -> None:
        # What became of it is known before the reader sees the end.
        with os.fdopen(self._outlet, "wb", buffering=0) as pipe:
            try:
                for path, name in self._files:
                    for block in self._checked(path, name):
                        _put(pipe.fileno(), block)
                self._ended = True
            except BrokenPipeError:
                return
            except BaseException as error:  # noqa: BLE001  raised again by `check`, in the thread that reads
                self.error = error

    def _checked(self, path: Path, name: str) -> Iterator[bytes]:
        """The blocks of a file, whose last line ends as all others do."""
        size, became, open_line = path.stat().st_size, 0, 0
        for number, block in enumerate(_with_plain_ends(unpacked(path, name))):
            became += len(block)
            self._bytes += len(block)
            if became > _FREE + _RATIO * size:
                raise DataFileError(f"the data file {name} unpacks to more than {_RATIO} times its size")
            if self._bytes > self._most:
                raise DataFileError(
                    f"the data files unpack to more than reconcile.listing_gib, {self._most >> 30} GiB"
                )
            try:
                open_line = _left_open(block, open_line)
            except _BadLineError as error:
                line = _line_at(path, name, number, error.place)
                raise DataFileError(f"line {line} of the data file {name} {error}") from None
            yield block
        if open_line:
            yield b"\n"


class _BadLineError(Exception):
    """A line cannot be one of an inventory; `place` is where it is in the block."""

    def __init__(self, what: str, place: int) -> None:
        super().__init__(what)
        self.place = place


def _left_open(block: bytes, open_line: int) -> int:
    """Bytes of the line that the block leaves open, after as many of it before the block.

    Raises:
        _BadLineError: a line is too long, or holds a NUL character.
    """
    if (place := block.find(b"\x00")) >= 0:
        raise _BadLineError("holds a NUL character", place)
    start = -open_line
    while len(block) - start > LONGEST_LINE:
        end = block.rfind(b"\n", max(start, 0), start + LONGEST_LINE + 1)
        if end < 0:
            raise _BadLineError(f"has more than {LONGEST_LINE} bytes", max(start, 0))
        start = end + 1
    return len(block) - (block.rfind(b"\n", max(start, 0)) + 1 or start)


def _line_at(path: Path, name: str, number: int, place: int) -> int:
    """The line of a place in the block of this number, by looking at the file once more."""
    blocks = _with_plain_ends(unpacked(path, name))
    before = sum(block.count(b"\n") for block in islice(blocks, number))
    return before + next(blocks).count(b"\n", 0, place) + 1


def unpacked(path: Path, name: str) -> Iterator[bytes]:
    """What a gzip file holds, in blocks of a limited size.

    Raises:
        DataFileError: it is not gzip, or damaged, or cut off.
    """
    engine = zlib.decompressobj(_GZIP)
    try:
        with path.open("rb") as packed:
            while chunk := packed.read(_READ):
                while chunk:
                    engine = zlib.decompressobj(_GZIP) if engine.eof else engine
                    if block := engine.decompress(chunk, _BLOCK):
                        yield block
                    chunk = engine.unused_data if engine.eof else engine.unconsumed_tail
        if not engine.eof:
            raise DataFileError(f"the data file {name} is not sound gzip: it is cut off")
    except zlib.error:
        raise DataFileError(f"the data file {name} is not sound gzip") from None


def _with_plain_ends(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same text without a mark at its beginning, lines ended by LF: a reader wants one end for all."""
    first = next(blocks, b"").removeprefix(_BOM)
    if not first[: first.find(b"\n")].endswith(b"\r"):
        yield first
        yield from blocks
        return
    held = b""
    for block in chain([first], blocks):
        text = held + block
        held = text[-1:] if text.endswith(b"\r") else b""
        yield text.removesuffix(b"\r").replace(b"\r\n", b"\n")


def _put(pipe: int, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def _pipe() -> tuple[int, int]:
    inlet, outlet = os.pipe()
    if set_size := getattr(fcntl, "F_SETPIPE_SZ", None):
        with suppress(OSError):  # more than this user may have
            fcntl.fcntl(outlet, set_size, _PIPE)
    return inlet, outlet
