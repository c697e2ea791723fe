"""MD5 digests by which a client checks what SQS received (AWS: message attributes, MD5)."""

from hashlib import md5
from struct import pack
from typing import TYPE_CHECKING

from orca_daemon.engine.size import Attributes

if TYPE_CHECKING:
    from hashlib import _Hash as HASH


def of_body(body: str) -> str:
    """The digest of a body."""
    return md5(body.encode(), usedforsecurity=False).hexdigest()


def of_attributes(attributes: Attributes) -> str:
    """The digest of message attributes: by name, each part with its length in front."""
    digest = md5(usedforsecurity=False)
    for name in sorted(attributes):
        attribute = attributes[name]
        _part(digest, name.encode())
        _part(digest, str(attribute["DataType"]).encode())
        binary = attribute.get("BinaryValue")
        digest.update(b"\x01" if binary is None else b"\x02")
        _part(digest, binary if isinstance(binary, bytes) else str(attribute["StringValue"]).encode())
    return digest.hexdigest()


def _part(digest: "HASH", data: bytes) -> None:
    digest.update(pack(">I", len(data)))
    digest.update(data)
