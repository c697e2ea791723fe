"""Converts columns from the form of COPY to the type in the file, a whole column of a block at a time.

Only arrays are converted value by value, through JSON, because they are rare.
"""

import json as jsonlib
import re
import sys
from array import array
from binascii import unhexlify
from collections.abc import Callable
from datetime import date as Date  # noqa: N812  `date` reads a column
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_EPOCH_MICROSECONDS = 946_684_800_000_000
"""Postgres counts from 2000-01-01; this is that day in microseconds since 1970."""
_EPOCH_DAYS = 10_957
_INT64, _INT32 = 2**63 - 1, 2**31 - 1
_DAY = re.compile(r"(\d{4,})-(\d\d)-(\d\d)")
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?")
_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097
"""The calendar repeats itself after so many years; Python's own dates end with the year 9999."""
_EPOCH = Date(1970, 1, 1).toordinal()
_INFINITE = {"infinity": 1, "-infinity": -1}


class ArraySyntaxError(ValueError):
    """An array does not fit the declaration of its column."""


def timestamptz(values: pa.Array) -> pa.Array:
    """Times with zone, as UTC; infinity becomes the largest number, which DuckDB reads as infinity."""
    return _since_2000(values, "q", pa.int64(), _INT64, _EPOCH_MICROSECONDS).cast(
        pa.timestamp("us", tz="UTC")
    )


def timestamp(values: pa.Array) -> pa.Array:
    """Times without zone."""
    return _since_2000(values, "q", pa.int64(), _INT64, _EPOCH_MICROSECONDS).cast(pa.timestamp("us"))


def date(values: pa.Array) -> pa.Array:
    """Days."""
    return _since_2000(values, "i", pa.int32(), _INT32, _EPOCH_DAYS).cast(pa.date32())


def time(values: pa.Array) -> pa.Array:
    """Times of day."""
    return _numbers(values, "q", pa.int64()).view(pa.time64("us"))


def uuid(values: pa.Array) -> pa.Array:
    """UUIDs."""
    raw = _fixed(values, 16)
    buffers = [_validity(values), pa.py_buffer(raw)]
    storage = pa.Array.from_buffers(pa.binary(16), len(values), buffers)
    return pa.ExtensionArray.from_storage(pa.uuid(), storage)


def bytea(values: pa.Array) -> pa.Array:
    """Byte strings, from hexadecimal digits."""
    lengths = pc.subtract(pc.divide(pc.binary_length(pc.fill_null(values, b"\\x")), 2), 1)
    ends = pc.cumulative_sum(lengths)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
    raw = unhexlify(_digits(values))
    buffers = [_validity(values), offsets.buffers()[1], pa.py_buffer(raw)]
    return pa.Array.from_buffers(pa.binary(), len(values), buffers)


def json(values: pa.Array) -> pa.Array:
    """JSON documents, as text with the extension type JSON."""
    return pa.ExtensionArray.from_storage(pa.json_(pa.string()), values)


def arrays(element: str, kind: pa.DataType, nested: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    """A function that converts arrays.

    Args:
        element: name of the elements' type in Postgres.
        kind: type of the elements in the file.
        nested: type of the array in the file.
    """
    storage = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    plain = nested if storage is kind else _nested(storage, nested)
    from_text = _FROM_TEXT.get(element)
    declared = _depth(nested)

    def read(values: pa.Array) -> pa.Array:
        parsed = [None if text is None else jsonlib.loads(text) for text in values.to_pylist()]
        # Checked here, because Postgres does not enforce the declared number of dimensions, and Arrow
        # converts a text in place of a list to the list of its characters.
        if any(value and _dimensions(value) != declared for value in parsed):
            raise ArraySyntaxError("it does not have the declared number of dimensions")
        if from_text:
            parsed = [_map(from_text, value) for value in parsed]
        try:
            # Arrow itself parses numbers and decimals from text.
            built = (
                pa.array(parsed, _nested(pa.string(), nested)).cast(plain)
                if not from_text
                else pa.array(parsed, plain)
            )
        except pa.ArrowException:
            # `from None`, because Arrow's text quotes the value.
            raise ArraySyntaxError("an element does not fit the declared type") from None
        return built if plain == nested else _wrapped(built, nested)

    return read


def _day_number(text: str) -> int:
    """Days since 1970; infinity is the largest number, -infinity its negative."""
    return _INFINITE[text] * _INT32 if text in _INFINITE else _days(text)


def _microseconds(text: str) -> int:
    """Microseconds since 1970, in the time zone of the text; infinities as in `_day_number`."""
    if text in _INFINITE:
        return _INFINITE[text] * _INT64
    # Limited, because the last years of Postgres's calendar do not fit into 64 bits.
    return min(_days(text) * 86_400_000_000 + _time_of_day(text.partition(" ")[2]), _INT64)


def _time_of_day(text: str) -> int:
    """Microseconds since midnight; 24:00:00 is valid."""
    hours, minutes, seconds, fraction = _parts(_TIME, text)
    whole_seconds = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    return whole_seconds * 1_000_000 + int((fraction or "").ljust(6, "0"))


def _days(text: str) -> int:
    year, month, day_of_month = map(int, _parts(_DAY, text))
    cycle, rest = divmod(1 - year if text.endswith(" BC") else year, _CYCLE_YEARS)
    ordinal = Date(_CYCLE_YEARS + rest, month, day_of_month).toordinal()
    return ordinal - _EPOCH + (cycle - 1) * _CYCLE_DAYS


def _parts(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    match = pattern.match(text)
    if match is None:
        raise ValueError("it is not a day or time")
    return match.groups()


_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "bytea": lambda text: bytes.fromhex(text[2:]),
    "uuid": lambda text: bytes.fromhex(text.replace("-", "")),
    "date": _day_number,
    "time": _time_of_day,
    "timestamp": _microseconds,
    "timestamptz": _microseconds,
}


def _dimensions(value: Any) -> int:
    """The depth of nested lists; all parts of a Postgres array have the same depth."""
    return 1 + _dimensions(value[0]) if isinstance(value, list) else 0


def _map(function: Callable[[str], Any], value: Any) -> Any:
    if isinstance(value, list):
        return [_map(function, part) for part in value]
    return None if value is None else function(value)


def _depth(kind: pa.DataType) -> int:
    return 1 + _depth(kind.value_type) if pa.types.is_list(kind) else 0


def _nested(innermost: pa.DataType, like: pa.DataType) -> pa.DataType:
    if not pa.types.is_list(like):
        return innermost
    return pa.list_(_nested(innermost, like.value_type))


def _wrapped(values: pa.Array, nested: pa.DataType) -> pa.Array:
    """The same array, with the extension type for its innermost elements."""
    if not pa.types.is_list(nested):
        return pa.ExtensionArray.from_storage(nested, values)
    inner = _wrapped(values.values, nested.value_type)
    return pa.ListArray.from_buffers(nested, len(values), values.buffers()[:2], children=[inner])


def _since_2000(values: pa.Array, code: str, kind: pa.DataType, largest: int, epoch: int) -> pa.Array:
    """Numbers that count from 2000 become numbers that count from 1970; infinities become +-`largest`."""
    numbers = _numbers(values, code, kind)
    extremes = pc.min_max(numbers)
    low, high = extremes["min"].as_py(), extremes["max"].as_py()
    shift, top = pa.scalar(epoch, kind), pa.scalar(largest, kind)
    if low is None or (low > -largest - 1 and high <= largest - epoch):
        return pc.add(numbers, shift)
    # Values near the limits: infinities, and the few years that fit when counted from 2000, but not from
    # 1970.
    shifted = pc.add(
        pc.if_else(pc.greater(numbers, largest - epoch), pa.scalar(largest - epoch, kind), numbers), shift
    )
    return pc.if_else(pc.equal(numbers, pa.scalar(-largest - 1, kind)), pc.negate(top), shifted)


def _numbers(values: pa.Array, code: str, kind: pa.DataType) -> pa.Array:
    """Signed big-endian integers; `code` is the type code of `array` with their width."""
    numbers = array(code)
    numbers.frombytes(_fixed(values, numbers.itemsize))
    if sys.byteorder == "little":
        numbers.byteswap()
    return pa.Array.from_buffers(kind, len(values), [_validity(values), pa.py_buffer(numbers)])


def _fixed(values: pa.Array, width: int) -> bytes:
    """The bytes of all values, `width` bytes for each, zeros for NULL."""
    # All values are of one length, so Arrow can cut off `\\x`: in a tenth of the time that `replace` takes.
    # It needs an end: without one, it fails on a part of an array (Arrow 26).
    return unhexlify(_joined(pc.binary_slice(pc.fill_null(values, b"\\x" + b"00" * width), 2, 2 + 2 * width)))


def _digits(values: pa.Array) -> bytes:
    """The hexadecimal digits of all values, joined."""
    return _joined(values).replace(b"\\x", b"")


def _joined(values: pa.Array) -> bytes:
    if not len(values):
        return b""
    _, offsets, data = values.buffers()
    ends = memoryview(offsets).cast("i")
    return bytes(data[ends[values.offset] : ends[values.offset + len(values)]])


def _validity(values: pa.Array) -> pa.Buffer | None:
    # `is_valid` makes a bitmap from bit 0, which the new arrays need; that of a slice may have an offset.
    return pc.is_valid(values).buffers()[1] if values.null_count else None
