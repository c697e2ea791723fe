"""Valid names of buckets, keys and regions; all others are refused before any request to S3."""

import re
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

LONGEST_KEY = 1_024
"""Bytes of UTF-8 in a key (AWS: Creating object key names)."""
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
# The characters that botocore accepts; but the first has to be a letter or digit, so that `..` is refused.
_REGION = re.compile(r"(?![0-9]+$)(?!-)[A-Za-z0-9-]{1,63}(?<!-)")


def is_bucket(name: str) -> bool:
    """Whether a bucket may have this name; old names may have 255 characters.  An ARN is not accepted."""
    return _BUCKET.fullmatch(name) is not None


def is_region(name: str) -> bool:
    """Whether a region may have this name.  It becomes part of a host name, so it must not add to that."""
    return _REGION.fullmatch(name) is not None


def key_problem(key: str) -> str | None:
    """Why an object cannot have this key, as the end of a sentence; None if it can."""
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
"""The key of an object.  S3 gives `..`, `//` and a slash at the beginning no special meaning."""
