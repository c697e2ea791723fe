"""The tags of an object, which a multipart copy has to carry over itself."""

from http import HTTPStatus
from urllib.parse import urlencode

from orca_daemon.aws.s3copy.objects import ObjectHead, S3Object
from orca_daemon.aws.s3copy.requests import Requests, S3RequestError

_NO_TAGS = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
"""Of stores without tags, and of objects without them (`NoSuchTagSet`)."""
_NO_OBJECT = frozenset({"NoSuchKey", "NoSuchVersion", "NoSuchBucket"})


async def tag_set(requests: Requests, source: S3Object, head: ObjectHead) -> str:
    """The tags as CreateMultipartUpload takes them; empty where there are none.

    Raises:
        S3RequestError: the tags may not be read.  CopyObject fails in the same way.
    """
    version = {"VersionId": head.version} if head.version else {}
    try:
        answer = await requests.call("get_object_tagging", **source.parameters, **version)
    except S3RequestError as failure:
        # CopyObject copies such an object without a word.
        if failure.status in _NO_TAGS and failure.code not in _NO_OBJECT:
            return ""
        raise
    return urlencode({tag["Key"]: tag["Value"] for tag in answer["TagSet"]})
