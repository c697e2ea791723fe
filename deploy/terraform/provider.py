"""A provider for Terraform that knows the schema of AWS's provider and nothing else: it makes nothing.

Terraform talks to providers by gRPC (its plugin protocol, version 5).  `terraform validate` asks a provider
for its schema and to validate; `terraform test` with a mock provider asks for no more.  Messages are
encoded by hand here, because only the schema is ever written.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from schema import Attribute, Block, Nested

SERVICE = "tfplugin5.Provider"
NESTINGS = {"single": 1, "list": 2, "set": 3}


@contextmanager
def serving(provider: Block, resources: Mapping[str, Block], data: Mapping[str, Block]) -> Iterator[str]:
    """Serve on loopback; yields the address."""
    answer = (
        _field(1, _schema(provider))
        + b"".join(_field(2, _entry(name, block)) for name, block in resources.items())
        + b"".join(_field(3, _entry(name, block)) for name, block in data.items())
    )
    methods = {
        "GetSchema": lambda _, __: answer,
        # The request's configuration and the answer's prepared configuration are the same field.
        "PrepareProviderConfig": lambda request, _: request,
        "ValidateResourceTypeConfig": lambda _, __: b"",
        "ValidateDataSourceConfig": lambda _, __: b"",
        "Configure": lambda _, __: b"",
        "Stop": lambda _, __: b"",
    }
    server = grpc.server(ThreadPoolExecutor(4))
    handlers = {name: grpc.unary_unary_rpc_method_handler(method) for name, method in methods.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


def _entry(name: str, block: Block) -> bytes:
    return _field(1, name) + _field(2, _schema(block))


def _schema(block: Block) -> bytes:
    return _field(2, _block(block))


def _block(block: Block) -> bytes:
    attributes = b"".join(_field(2, _attribute(each)) for each in block.attributes)
    return attributes + b"".join(_field(3, _nested(each)) for each in block.blocks)


def _attribute(attribute: Attribute) -> bytes:
    # Required is 4, optional 5, computed 6.  Whether AWS sets an optional argument that is left out is not
    # known (see schema.py); Terraform must expect it, because other resources read some (`id`, `region`).
    flags = (4,) if attribute.required else (6,) if attribute.computed else (5, 6)
    return _field(1, attribute.name) + _field(2, attribute.kind) + b"".join(_field(each, 1) for each in flags)


def _nested(nested: Nested) -> bytes:
    return (
        _field(1, nested.name)
        + _field(2, _block(nested.block))
        + _field(3, NESTINGS[nested.nesting])
        + _field(4, nested.least if nested.nesting != "single" else 0)
        + _field(5, nested.most)
    )


def _field(number: int, value: Any) -> bytes:
    """A field in the encoding of protocol buffers."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:  # noqa: PLR2004  seven bits a byte
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
