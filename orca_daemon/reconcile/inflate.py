"""Unpacks gzip files into one stream of CSV, within limits, for a reader that does not check its input.

DuckDB can read gzip by itself, but without limits: it accepts a megabyte that unpacks to a line of a
gigabyte, NUL bytes, and a file without its checksum.  Here every block is checked once while it is passed on,
and `where` maps a line of the whole stream, which DuckDB's errors name, to a line of one file.
"""

import os
import threading
import zlib
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from orca_daemon.reconcile.download import DataFileError
from orca_daemon.reconcile.pipe import large_pipe

LONGEST_LINE = 64 << 10
"""Bytes: a key of S3 has up to 1,024, three times that if it is encoded, and the other fields are short."""
_RATIO, _FREE = 250, 64 << 20
"""Limit of unpacked bytes: `_FREE`, and `_RATIO` for each byte of the file.  Inventories have 5 to 30."""
_READ = 64 << 10
_BLOCK = 1 << 20
_GZIP = 31
"""zlib's window size, and its flag for the gzip format."""
_BOM = b"\xef\xbb\xbf"


class Inflated:
    """All rows of some files, as a pipe that can be read once.

    A thread of its own unpacks and checks the files and writes to the pipe.

    Args:
        files: path of each file, and its name in errors.
        most: limit of the unpacked bytes of all files together.
    """

    def __init__(self, files: Sequence[tuple[Path, str]], most: int) -> None:
        self._files, self._most = files, most
        self._inlet, self._outlet = large_pipe()
        self.error: BaseException | None = None
        """The error that ended the stream early; the thread writes it, `check` reads it."""
        self._ended = False
        self._bytes = 0
        self._thread = threading.Thread(target=self._write, name="inflate", daemon=True)

    @property
    def path(self) -> str:
        """The path that the reader opens, once."""
        return f"/dev/fd/{self._inlet}"

    def start(self) -> None:
        """Start the thread that writes."""
        self._thread.start()

    def close(self) -> None:
        """End the thread: writing to a pipe without a reader fails."""
        os.close(self._inlet)

    def check(self) -> None:
        """Raise the error that ended the stream: to its reader, it looks like the end of the rows.

        Raises:
            DataFileError: a file is damaged, or too large, or was not read.
        """
        if self.error is not None:
            raise self.error
        if not self._ended:
            raise DataFileError("the data files were not read to their end")

    def where(self, line: int) -> tuple[str, int]:
        """The name of the file that has this line of the stream, and the line in it; both count from 1.

        Counts the lines of the files again: this is only called after an error.
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
        # The result is set inside `with`, so that the reader sees the end of the pipe only after it is set.
        with os.fdopen(self._outlet, "wb", buffering=0) as pipe:
            try:
                for path, name in self._files:
                    for block in self._checked(path, name):
                        _write_all(pipe.fileno(), block)
                self._ended = True
            except BrokenPipeError:
                return
            except BaseException as error:  # noqa: BLE001  `check` raises it in the thread that reads
                self.error = error

    def _checked(self, path: Path, name: str) -> Iterator[bytes]:
        """The blocks of a file; a missing newline at its end is added."""
        size, unpacked_size, open_line = path.stat().st_size, 0, 0
        for number, block in enumerate(_with_plain_ends(unpacked(path, name))):
            unpacked_size += len(block)
            self._bytes += len(block)
            if unpacked_size > _FREE + _RATIO * size:
                raise DataFileError(f"the data file {name} unpacks to more than {_RATIO} times its size")
            if self._bytes > self._most:
                raise DataFileError(
                    f"the data files unpack to more than reconcile.listing_gib, {self._most >> 30} GiB"
                )
            try:
                open_line = _check_lines(block, open_line)
            except _BadLineError as error:
                line = _line_at(path, name, number, error.offset)
                raise DataFileError(f"line {line} of the data file {name} {error}") from None
            yield block
        if open_line:
            yield b"\n"


class _BadLineError(Exception):
    """A line cannot belong to an inventory; `offset` is its position in the block."""

    def __init__(self, problem: str, offset: int) -> None:
        super().__init__(problem)
        self.offset = offset


def _check_lines(block: bytes, open_line: int) -> int:
    """Check the lines of a block.

    Args:
        block: the next block of a file.
        open_line: length of the line that the blocks before have left open.

    Returns:
        The length of the line that this block leaves open.

    Raises:
        _BadLineError: a line is too long, or holds a NUL character.
    """
    if (offset := block.find(b"\x00")) >= 0:
        raise _BadLineError("holds a NUL character", offset)
    start = -open_line
    while len(block) - start > LONGEST_LINE:
        end = block.rfind(b"\n", max(start, 0), start + LONGEST_LINE + 1)
        if end < 0:
            raise _BadLineError(f"has more than {LONGEST_LINE} bytes", max(start, 0))
        start = end + 1
    return len(block) - (block.rfind(b"\n", max(start, 0)) + 1 or start)


def _line_at(path: Path, name: str, number: int, offset: int) -> int:
    """The line number at an offset in the block with this number; unpacks the file again."""
    blocks = _with_plain_ends(unpacked(path, name))
    before = sum(block.count(b"\n") for block in islice(blocks, number))
    return before + next(blocks).count(b"\n", 0, offset) + 1


def unpacked(path: Path, name: str) -> Iterator[bytes]:
    """The content of a gzip file, in blocks of a limited size.

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
    """The same text without a byte order mark, and with LF as the only line end."""
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


def _write_all(pipe: int, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(pipe, rest) :]
