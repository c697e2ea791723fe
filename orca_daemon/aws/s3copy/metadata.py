"""What a multipart copy has to carry over itself: tags, and headers that botocore refuses or rewrites.

CopyObject carries both over on the side of S3.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from orca_daemon.aws.s3copy.objects import ObjectHead, S3Object
from orca_daemon.aws.s3copy.requests import Requests, S3RequestError

_NO_TAGS = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
"""Answers of stores without tags, and for objects without tags (`NoSuchTagSet`)."""
_NO_OBJECT = frozenset({"NoSuchKey", "NoSuchVersion", "NoSuchBucket"})
_raw_headers: ContextVar[Mapping[str, str] | None] = ContextVar("orca_daemon_raw_headers", default=None)


async def tag_set(requests: Requests, source: S3Object, head: ObjectHead) -> str:
    """The tags as CreateMultipartUpload takes them; empty if there are none.

    Raises:
        S3RequestError: the tags may not be read.  CopyObject fails in the same way.
    """
    version = {"VersionId": head.version} if head.version else {}
    try:
        response = await requests.call("get_object_tagging", **source.parameters, **version)
    except S3RequestError as failure:
        # CopyObject copies such an object without an error.
        if failure.status in _NO_TAGS and failure.code not in _NO_OBJECT:
            return ""
        raise
    return urlencode({tag["Key"]: tag["Value"] for tag in response["TagSet"]})


@contextmanager
def raw_headers(headers: Mapping[str, str]) -> Iterator[None]:
    """Add these headers, unchanged, to a CreateMultipartUpload that the current task sends.

    botocore would refuse metadata that is not ASCII, and would rewrite dates.  The client has to be prepared
    by `allow_raw_headers`.
    """
    token = _raw_headers.set(headers)
    try:
        yield
    finally:
        _raw_headers.reset(token)


def allow_raw_headers(s3: Any) -> None:
    """Prepare a client for `raw_headers`; calling it twice does no harm."""
    name = "before-call.s3.CreateMultipartUpload"
    s3.meta.events.register(name, _add_raw_headers, unique_id="orca-daemon-raw-headers")


def _add_raw_headers(params: dict[str, Any], **_: Any) -> None:
    params["headers"].update(_raw_headers.get() or {})
