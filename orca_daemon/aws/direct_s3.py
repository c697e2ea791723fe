"""The calls of S3 that every copy makes, sent past botocore's serializer, endpoint rules and events.

Only a plain success ends here, and the errors that aiobotocore would raise at once: denied, missing, a
condition that does not hold.  Whatever else happens (a redirect, a fault, no answer, a response that does not
prove itself, a parameter that is not in the tables below), the call is made again through aiobotocore.  All
three calls may be repeated: a copy that was made is made again, and one with `IfNoneMatch` is refused.
"""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode
from xml.etree.ElementTree import Element, ParseError, XMLParser

from botocore.exceptions import ClientError

from orca_daemon.aws.call_errors import NOT_ANSWERED
from orca_daemon.aws.direct_requests import (
    RETRY,
    Answer,
    Endpoint,
    OnEnd,
    Request,
    Sender,
    error_of,
    resolved,
    sign,
)
from orca_daemon.aws.errors import REQUEST_IDS, Meaning, meaning_of
from orca_daemon.aws.responses import Response, flaw

_SAFE: Final = "-._~/"
"""Characters of a key that are not percent-encoded in a path (AWS: Signature Version 4)."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
"""Names that need no rule of their own: a dot changes the host that TLS checks, an ARN the endpoint."""
_MOST_ENDPOINTS = 1000
_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600)})
_REDIRECTS = range(300, 400)
_FINAL = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.PRECONDITION_FAILED})
"""Statuses that botocore neither repeats nor takes for a redirect."""
_OF_THE_CALL = frozenset({Meaning.DENIED, Meaning.MISSING, Meaning.REFUSED})
"""Errors that a repetition does not change; a proxy's page means none of them."""
Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Operation:
    """How one operation is written, and what of its response is read (AWS: API reference of S3)."""

    name: str
    verb: str
    headers: Mapping[str, str]
    """Parameter to header."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Parameter to the name in the query string."""
    result: str | None = None
    """The root element of the response; None if everything is in its headers."""


_PINNED = {"CopySource": "x-amz-copy-source", "CopySourceIfMatch": "x-amz-copy-source-if-match"}
_OPERATIONS: Mapping[str, _Operation] = {
    "head_object": _Operation("HeadObject", "HEAD", {"ChecksumMode": "x-amz-checksum-mode"}),
    "copy_object": _Operation(
        "CopyObject",
        "PUT",
        {
            **_PINNED,
            "IfNoneMatch": "If-None-Match",
            "StorageClass": "x-amz-storage-class",
            "ServerSideEncryption": "x-amz-server-side-encryption",
            "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
        },
        result="CopyObjectResult",
    ),
    "upload_part_copy": _Operation(
        "UploadPartCopy",
        "PUT",
        {**_PINNED, "CopySourceRange": "x-amz-copy-source-range"},
        {"PartNumber": "partNumber", "UploadId": "uploadId"},
        result="CopyPartResult",
    ),
}
METHODS = frozenset(_OPERATIONS)
"""The methods of the client that are replaced."""
_CHECKSUMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
_IN_HEADERS: Mapping[str, str] = {
    "etag": "ETag",
    "x-amz-version-id": "VersionId",
    "x-amz-storage-class": "StorageClass",
    "x-amz-restore": "Restore",
    "x-amz-archive-status": "ArchiveStatus",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-checksum-type": "ChecksumType",
    **{f"x-amz-checksum-{name.lower()}": f"Checksum{name}" for name in _CHECKSUMS},
    "cache-control": "CacheControl",
    "content-disposition": "ContentDisposition",
    "content-encoding": "ContentEncoding",
    "content-language": "ContentLanguage",
    "content-type": "ContentType",
    "expires": "ExpiresString",
}
"""Header to member of the response; those that a copy reads."""
_METADATA: Final = "x-amz-meta-"


class DirectS3:
    """The direct calls of one client of S3."""

    def __init__(self, client: Any, session: Any, *, user_agent: str) -> None:
        self._client, self._session, self._user_agent = client, session, user_agent
        self._sender = Sender(client._endpoint.http_session)  # noqa: SLF001  the client's own pool, TLS and proxies
        self._parser = session.get_component("response_parser_factory").create_parser("rest-xml")
        self._random = random.Random()
        self._endpoints: dict[str, Endpoint | None] = {}
        """By bucket; None if its calls go through aiobotocore."""
        self.on_end: OnEnd = lambda *_: None

    def replace(self) -> None:
        """Replace the methods of the client."""
        for method, operation in _OPERATIONS.items():
            setattr(self._client, method, self._method(operation, getattr(self._client, method)))

    def _method(
        self, operation: _Operation, through_aiobotocore: Callable[..., Awaitable[Parameters]]
    ) -> Callable[..., Awaitable[Parameters]]:
        async def call(**parameters: Any) -> Parameters:
            started = time.monotonic()
            try:
                response = await self._tried(operation, parameters)
            except ClientError as error:
                self.on_end(f"s3:{operation.name}", error, time.monotonic() - started)
                raise
            if response is None:
                return await through_aiobotocore(**parameters)
            self.on_end(f"s3:{operation.name}", None, time.monotonic() - started)
            return response

        return call

    async def _tried(self, operation: _Operation, parameters: Parameters) -> Parameters | None:
        """The proven response; None if the call has to be made through aiobotocore.

        Raises:
            ClientError: the call was refused, as aiobotocore would report it.
        """
        try:
            return await self._once(operation, parameters)
        except NOT_ANSWERED:
            return None

    async def _once(self, operation: _Operation, parameters: Parameters) -> Parameters | None:
        if not _plain(operation, parameters):
            return None
        endpoint = await self._endpoint_of(operation, parameters)
        credentials = await self._session.get_credentials()
        if endpoint is None or credentials is None:
            return None
        request = _request(operation, parameters, endpoint)
        request.headers["User-Agent"] = self._user_agent
        sign(request, await credentials.get_frozen_credentials(), endpoint)
        answer = await self._sender.send(request, endpoint)
        if answer.status_code == HTTPStatus.OK:
            return _proven(operation, parameters, answer.headers, answer.body)
        await self._failed(operation, parameters, answer)
        return None

    async def _endpoint_of(self, operation: _Operation, parameters: Parameters) -> Endpoint | None:
        bucket = parameters["Bucket"]
        if bucket not in self._endpoints:
            if len(self._endpoints) >= _MOST_ENDPOINTS:
                self._endpoints.clear()
            self._endpoints[bucket] = await resolved(
                self._client, operation.name, {"Bucket": bucket, "Key": parameters["Key"]}
            )
        return self._endpoints[bucket]

    async def _failed(self, operation: _Operation, parameters: Parameters, answer: Answer) -> None:
        """Raise a final error, as `_tried` does; else let hooks see it, and wait if S3 is busy."""
        if answer.status_code in _REDIRECTS:  # the bucket is in another region, which aiobotocore finds out
            self._endpoints[parameters["Bucket"]] = None
            return
        error = await error_of(self._client, self._parser, operation.name, answer)
        if answer.status_code in _FINAL and meaning_of(error) in _OF_THE_CALL:
            raise error
        if answer.status_code in _BUSY:
            await asyncio.sleep(RETRY.delay(1, self._random))


def applicable(client: Any) -> bool:
    """Whether the client signs as the direct calls do."""
    return client.meta.config.signature_version in {None, "v4", "s3v4"}


def _plain(operation: _Operation, parameters: Parameters) -> bool:
    known = {"Bucket", "Key", *operation.headers, *operation.query}
    source = parameters.get("CopySource", {"Bucket": parameters["Bucket"]})
    return (
        parameters.keys() <= known
        and bool(parameters.get("Key"))
        and bool(_BUCKET.fullmatch(parameters["Bucket"]))
        and isinstance(source, Mapping)
        and bool(_BUCKET.fullmatch(source["Bucket"]))
    )


def _request(operation: _Operation, parameters: Parameters, endpoint: Endpoint) -> Request:
    url = endpoint.url + quote(parameters["Key"], safe=_SAFE)
    query = {
        operation.query[name]: str(value) for name, value in parameters.items() if name in operation.query
    }
    if query:
        url += "?" + urlencode(query, quote_via=quote, safe="-._~")
    headers = dict(endpoint.headers)
    for parameter, header in operation.headers.items():
        if (value := parameters.get(parameter)) is not None:
            headers[header] = _source(value) if parameter == "CopySource" else str(value)
    return Request(url, headers, method=operation.verb)


def _source(source: Mapping[str, str]) -> str:
    path = quote(f"{source['Bucket']}/{source['Key']}", safe=_SAFE)
    return f"{path}?versionId={source['VersionId']}" if source.get("VersionId") else path


def _proven(
    operation: _Operation, parameters: Parameters, headers: Mapping[str, str], body: bytes
) -> Parameters | None:
    """The parsed response of a success; None if it does not prove itself."""
    parsed = _parsed(operation, headers, body)
    if parsed is None:
        return None
    response = Response(
        operation=f"s3.{operation.name}",
        parameters=parameters,
        parsed=parsed,
        status=HTTPStatus.OK,
        headers=headers,
        body=body,
    )
    return None if flaw(response) else parsed


def _parsed(operation: _Operation, headers: Mapping[str, str], body: bytes) -> dict[str, Any] | None:
    """The members of the response that copies read; None if it is not of the form that S3 documents."""
    parsed: dict[str, Any] = {
        _IN_HEADERS[name]: value for name, value in headers.items() if name in _IN_HEADERS
    }
    parsed["ResponseMetadata"] = {
        "RequestId": next((headers[name] for name in REQUEST_IDS if name in headers), ""),
        "HTTPStatusCode": int(HTTPStatus.OK),
        "HTTPHeaders": headers,
    }
    if operation.result:
        members = _members(operation.result, body)
        return None if members is None else {**parsed, operation.result: members}
    length = headers.get("content-length", "")
    if not length.isdecimal():
        return None
    prefix = len(_METADATA)
    metadata = {name[prefix:]: value for name, value in headers.items() if name.startswith(_METADATA)}
    return {**parsed, "ContentLength": int(length), "Metadata": metadata}


def _members(root: str, body: bytes) -> dict[str, str] | None:
    """The texts under the root element; None for another document, such as an error under status 200."""
    parser = XMLParser()  # noqa: S314  as botocore; expat limits the growth of entities, and fetches none
    try:
        parser.feed(body)
        document: Element = parser.close()
    except ParseError:
        return None
    if _name(document) != root:
        return None
    return {_name(member): member.text or "" for member in document}


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]
