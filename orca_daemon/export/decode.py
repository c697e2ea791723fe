"""From what COPY wrote to what the file holds, a column of a block at a time and never a value at a time.

Only arrays are an exception: they are rare, and read through JSON.
"""

import json as jsonlib
import sys
from array import array
from binascii import unhexlify
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from orca_daemon.export import moments

_EPOCH_MICROSECONDS = 946_684_800_000_000
"""2000-01-01, where Postgres counts from, in microseconds since 1970."""
_EPOCH_DAYS = 10_957
_INT64, _INT32 = 2**63 - 1, 2**31 - 1


class ArraySyntaxError(ValueError):
    """An array does not fit the declaration of its column."""


def timestamptz(values: pa.Array) -> pa.Array:
    """Times with zone, as UTC; infinity becomes the largest number, which DuckDB takes for infinity."""
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
    """Documents, as text that says it is JSON."""
    return pa.ExtensionArray.from_storage(pa.json_(pa.string()), values)


def arrays(element: str, kind: pa.DataType, nested: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    """A reader of arrays whose elements have this name in Postgres and this type in the file."""
    storage = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    plain = nested if storage is kind else _nested(storage, nested)
    from_text = _FROM_TEXT.get(element)
    declared = _depth(nested)

    def read(values: pa.Array) -> pa.Array:
        found = [None if text is None else jsonlib.loads(text) for text in values.to_pylist()]
        # Postgres does not hold to the declared number of dimensions, and Arrow takes a text that stands in
        # the place of a list for a list of its characters.
        if any(value and _dimensions(value) != declared for value in found):
            raise ArraySyntaxError("it has not the declared number of dimensions")
        if from_text:
            found = [_map(from_text, value) for value in found]
        try:
            # Numbers and decimals are read from text by Arrow itself.
            built = (
                pa.array(found, _nested(pa.string(), nested)).cast(plain)
                if not from_text
                else pa.array(found, plain)
            )
        except pa.ArrowException:
            # Arrow's text repeats the value.
            raise ArraySyntaxError("an element does not fit the declared type") from None
        return built if plain == nested else _wrapped(built, nested)

    return read


_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "bytea": lambda text: bytes.fromhex(text[2:]),
    "uuid": lambda text: bytes.fromhex(text.replace("-", "")),
    "date": moments.day,
    "time": moments.change_time,
    "timestamp": moments.moment,
    "timestamptz": moments.moment,
}


def _dimensions(value: Any) -> int:
    """How deep the lists are; Postgres's arrays are as deep everywhere."""
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
    """The same array, its innermost elements of the extension type."""
    if not pa.types.is_list(nested):
        return pa.ExtensionArray.from_storage(nested, values)
    inner = _wrapped(values.values, nested.value_type)
    return pa.ListArray.from_buffers(nested, len(values), values.buffers()[:2], children=[inner])


def _since_2000(values: pa.Array, code: str, kind: pa.DataType, largest: int, epoch: int) -> pa.Array:
    numbers = _numbers(values, code, kind)
    extremes = pc.min_max(numbers)
    low, high = extremes["min"].as_py(), extremes["max"].as_py()
    shift, top = pa.scalar(epoch, kind), pa.scalar(largest, kind)
    if low is None or (low > -largest - 1 and high <= largest - epoch):
        return pc.add(numbers, shift)
    # The infinities, and the few years that fit Postgres's count but not the one from 1970.
    shifted = pc.add(
        pc.if_else(pc.greater(numbers, largest - epoch), pa.scalar(largest - epoch, kind), numbers), shift
    )
    return pc.if_else(pc.equal(numbers, pa.scalar(-largest - 1, kind)), pc.negate(top), shifted)


def _numbers(values: pa.Array, code: str, kind: pa.DataType) -> pa.Array:
    """Signed big-endian integers of the width of `code` (of `array`)."""
    numbers = array(code)
    numbers.frombytes(_fixed(values, numbers.itemsize))
    if sys.byteorder == "little":
        numbers.byteswap()
    return pa.Array.from_buffers(kind, len(values), [_validity(values), pa.py_buffer(numbers)])


def _fixed(values: pa.Array, width: int) -> bytes:
    """The bytes of all values, `width` each, zeros for NULL."""
    return unhexlify(_digits(pc.fill_null(values, b"\\x" + b"00" * width)))


def _digits(values: pa.Array) -> bytes:
    """The hexadecimal digits of all values in a row."""
    if not len(values):
        return b""
    _, offsets, data = values.buffers()
    ends = memoryview(offsets).cast("i")
    first, last = ends[values.offset], ends[values.offset + len(values)]
    return bytes(data[first:last]).replace(b"\\x", b"")


def _validity(values: pa.Array) -> pa.Buffer | None:
    # Whoever uses it builds an array that begins at its first bit.
    return pc.is_valid(values).buffers()[1] if values.null_count else None
