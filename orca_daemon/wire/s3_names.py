"""Names of buckets, keys and regions: what S3 takes, and what is refused before S3 is asked."""

import re
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

LONGEST_KEY = 1_024
"""Bytes of UTF-8 (AWS: Creating object key names)."""
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
# The same letters as botocore takes; the first one has to be as S3 wants it, or `..` would be a name.
_REGION = re.compile(r"(?![0-9]+$)(?!-)[A-Za-z0-9-]{1,63}(?<!-)")


def is_bucket(name: str) -> bool:
    """Whether a bucket may have this name, old ones of up to 255 characters included; an ARN is none."""
    return _BUCKET.fullmatch(name) is not None


def is_region(name: str) -> bool:
    """Whether a region may have this name: it becomes part of a host's name."""
    return _REGION.fullmatch(name) is not None


def key_problem(key: str) -> str | None:
    """What is wrong with the key of an object, as the end of a sentence; None where nothing is."""
    if not key:
        return "is empty"
    if "\0" in key:
        return "holds a NUL character"
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is no character"
    return f"has {size:,} bytes; S3 takes {LONGEST_KEY:,}" if size > LONGEST_KEY else None


def _bucket(name: str) -> str:
    if not is_bucket(name):
        raise PydanticCustomError("bucket", "is not the name of a bucket")
    return name


def _region(name: str) -> str:
    if not is_region(name):
        raise PydanticCustomError("region", "is not the name of a region")
    return name


def _key(key: str) -> str:
    if problem := key_problem(key):
        raise PydanticCustomError("key", "{problem}", {"problem": problem})
    return key


Bucket = Annotated[str, AfterValidator(_bucket)]
"""The name of a bucket."""
Region = Annotated[str, AfterValidator(_region)]
"""The name of a region of AWS."""
Key = Annotated[str, AfterValidator(_key)]
"""The key of an object, as it is: S3 reads nothing into `..`, `//` or a slash at its beginning."""
