"""The tags of an object, which a multipart copy has to carry over itself."""

from http import HTTPStatus
from urllib.parse import urlencode

from botocore.exceptions import ClientError

from orca_daemon.aws.s3copy.errors import status_of
from orca_daemon.aws.s3copy.objects import Facts, Place
from orca_daemon.aws.s3copy.requests import Requests


async def tag_set(requests: Requests, source: Place, facts: Facts) -> str:
    """The tags as CreateMultipartUpload takes them; empty where there are none.

    Raises:
        ClientError: the tags may not be read.  CopyObject fails in the same way.
    """
    version = {"VersionId": facts.version} if facts.version else {}
    try:
        answer = await requests.call("get_object_tagging", **source.parameters, **version)
    except ClientError as error:
        if status_of(error) == HTTPStatus.NOT_IMPLEMENTED:  # a store without tags
            return ""
        raise
    return urlencode({tag["Key"]: tag["Value"] for tag in answer.get("TagSet", [])})
