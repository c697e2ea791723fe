"""The tags of an object, which a multipart copy has to carry over itself."""

from http import HTTPStatus
from urllib.parse import urlencode

from orca_daemon.aws.s3copy.objects import Facts, Place
from orca_daemon.aws.s3copy.requests import RequestFailed, Requests

_NO_TAGS = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
"""Of stores without tags, and of objects without them (`NoSuchTagSet`)."""
_NO_OBJECT = frozenset({"NoSuchKey", "NoSuchVersion", "NoSuchBucket"})


async def tag_set(requests: Requests, source: Place, facts: Facts) -> str:
    """The tags as CreateMultipartUpload takes them; empty where there are none.

    Raises:
        RequestFailed: the tags may not be read.  CopyObject fails in the same way.
    """
    version = {"VersionId": facts.version} if facts.version else {}
    try:
        answer = await requests.call("get_object_tagging", **source.parameters, **version)
    except RequestFailed as failure:
        # CopyObject copies such an object without a word.
        if failure.status in _NO_TAGS and failure.code not in _NO_OBJECT:
            return ""
        raise
    return urlencode({tag["Key"]: tag["Value"] for tag in answer["TagSet"]})
