"""The direct calls of S3: requests, endpoints and results of aiobotocore, and aiobotocore for the rest."""

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from aiohttp import web
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError

from orca_daemon.aws import direct_s3
from orca_daemon.aws.clients import Clients, connect
from orca_daemon.aws.errors import meaning_of, status_of
from orca_daemon.aws.metering import meter
from orca_daemon.engine.backoff import Backoff
from orca_daemon.settings import load

SECRET = "a secret"
ID = {"x-amz-request-id": "1"}
ODD = (
    "a b/c.h5",
    "a+b/c+d",
    "ä/ö 漢字/🛰.nc",
    "a%20b",
    "q?x=1&y=2#z",
    "x//y",
    "./a/../b",
    'it\'s "q"',
    "~-._",
)
PIN = {"CopySource": {"Bucket": "archive", "Key": "ä b+c/~d", "VersionId": "v.1"}, "CopySourceIfMatch": '"e"'}
TARGET = {"Bucket": "target", "Key": "k"}
CALLS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "head": ("head_object", {**TARGET, "ChecksumMode": "ENABLED"}),
    "copy": ("copy_object", {**TARGET, **PIN, "StorageClass": "STANDARD"}),
    "copy if new": ("copy_object", {**TARGET, **PIN, "StorageClass": "STANDARD_IA", "IfNoneMatch": "*"}),
    "copy with a key": (
        "copy_object",
        {**TARGET, **PIN, "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:us-west-2:1:key/k"},
    ),
    "part": (
        "upload_part_copy",
        {**TARGET, **PIN, "UploadId": "u/+ =", "PartNumber": 12, "CopySourceRange": "bytes=0-9"},
    ),
    **{f"key {key}": ("head_object", {"Bucket": "target", "Key": key}) for key in ODD},
}
RESULT = '<?xml version="1.0"?>\n\n<{0} xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ETag>&quot;e&quot;</ETag>{1}</{0}>'
CHECKSUM = "<ChecksumCRC64NVME>AAAA</ChecksumCRC64NVME>"
HEAD = {
    **ID,
    "ETag": '"e"',
    "Content-Length": "300000",
    "Content-Type": "application/x-hdf5",
    "x-amz-version-id": "v",
    "x-amz-storage-class": "GLACIER",
    "x-amz-restore": 'ongoing-request="false"',
    "x-amz-archive-status": "ARCHIVE_ACCESS",
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-checksum-crc64nvme": "AAAA",
    "x-amz-checksum-type": "FULL_OBJECT",
    "x-amz-meta-Granule": "g-1",
    "Cache-Control": "max-age=60",
    "Content-Disposition": "inline",
    "Content-Encoding": "gzip",
    "Content-Language": "en",
    "Expires": "never",
}

Seen = tuple[str, str, Mapping[str, str]]
Answer = Callable[[web.Request], web.StreamResponse]


class Server:
    """A server in S3's place; it records requests, and sends the answers in turn, the last one for ever."""

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self.answers: list[Answer] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.requests.append((request.method, request.raw_path, dict(request.headers)))
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(request)


def success(request: web.Request) -> web.Response:
    if request.method == "HEAD":
        return web.Response(headers=HEAD)
    headers = {**ID, "x-amz-server-side-encryption": "AES256"}
    if "partNumber" in request.query:
        text = RESULT.format("CopyPartResult", CHECKSUM)
    else:
        text = RESULT.format("CopyObjectResult", f"{CHECKSUM}<ChecksumType>FULL_OBJECT</ChecksumType>")
    return web.Response(text=text, content_type="application/xml", headers=headers)


def error(status: int, code: str) -> Answer:
    return lambda _: web.Response(
        status=status, text=f"<Error><Code>{code}</Code></Error>", content_type="application/xml", headers=ID
    )


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    server.answers.append(success)
    yield server
    await runner.cleanup()


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setattr(direct_s3, "RETRY", Backoff(base=0, floor=0))


@asynccontextmanager
async def connected(
    endpoint: str, *, direct: bool = True, region: str = "us-west-2"
) -> AsyncIterator[Clients]:
    environ = {"AWS_REGION": region, "ORCA_AWS__DIRECT_CALLS": str(direct).lower()}
    if endpoint:
        environ["ORCA_AWS__ENDPOINT_URL"] = endpoint
    async with connect(load(environ=environ, need_queue=False)) as clients:
        yield clients


def ways(request: Seen) -> str:
    """Which way a request was sent: only aiobotocore gives each an id."""
    return "aiobotocore" if "amz-sdk-invocation-id" in {name.lower() for name in request[2]} else "direct"


def signature(request: Seen) -> str:
    """The signature of a request (AWS: Signature Version 4, create a signed request)."""
    method, target, headers = request
    lower = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    authorization, path = lower["authorization"], urlsplit(target).path
    scope = authorization.partition("Credential=AKID/")[2].partition(",")[0]
    names = authorization.partition("SignedHeaders=")[2].partition(",")[0]
    pairs = sorted(
        (quote(n, safe="-._~"), quote(v, safe="-._~")) for n, v in parse_qsl(urlsplit(target).query)
    )
    query = "&".join(f"{name}={value}" for name, value in pairs)
    lines = [method, path, query, *(f"{name}:{lower[name]}" for name in names.split(";")), "", names]
    canonical = "\n".join([*lines, hashlib.sha256(b"").hexdigest()])
    text = "\n".join(
        ["AWS4-HMAC-SHA256", lower["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


_OF_THE_WAY = {"authorization", "x-amz-date", "amz-sdk-invocation-id", "amz-sdk-request", "user-agent"}


@pytest.mark.parametrize(("method", "parameters"), CALLS.values(), ids=CALLS)
async def test_a_direct_call_sends_what_aiobotocore_sends(
    server: Server, method: str, parameters: dict[str, Any]
) -> None:
    for direct in (True, False):
        async with connected(server.url, direct=direct) as clients:
            await getattr(clients.s3, method)(**parameters)
    own, other = server.requests
    assert (ways(own), ways(other)) == ("direct", "aiobotocore")
    assert own[:2] == other[:2]
    headers = [
        {name.lower(): value for name, value in seen[2].items() if name.lower() not in _OF_THE_WAY}
        for seen in (own, other)
    ]
    assert headers[0] == headers[1]
    for seen in (own, other):
        assert seen[2]["Authorization"].endswith(f"Signature={signature(seen)}")


@pytest.mark.parametrize("name", ["head", "copy", "part"])
async def test_a_direct_call_returns_what_copies_read_of_a_response(server: Server, name: str) -> None:
    method, parameters = CALLS[name]
    responses = []
    for direct in (True, False):
        async with connected(server.url, direct=direct) as clients:
            responses.append(await getattr(clients.s3, method)(**parameters))
    own, other = responses
    unread = {"ResponseMetadata", "Expires", "ContentType"} - ({"ContentType"} if name == "head" else set())
    assert {key: own[key] for key in own.keys() - unread} == {
        key: other[key] for key in other.keys() - unread
    }
    assert own["ResponseMetadata"]["RequestId"] == other["ResponseMetadata"]["RequestId"] == "1"


ENDPOINTS: Mapping[str, tuple[str, dict[str, str]]] = {
    "us-east-1": ("us-east-1", {}),
    "us-west-2": ("us-west-2", {}),
    "china": ("cn-north-1", {}),
    "gov": ("us-gov-west-1", {}),
    "fips": ("us-east-1", {"AWS_USE_FIPS_ENDPOINT": "true"}),
    "dualstack": ("eu-central-1", {"AWS_USE_DUALSTACK_ENDPOINT": "true"}),
    "vpc endpoint": ("eu-central-1", {"AWS_ENDPOINT_URL_S3": "https://bucket.vpce-1.s3.example.org"}),
}


@pytest.mark.parametrize(("region", "environ"), ENDPOINTS.values(), ids=ENDPOINTS)
async def test_requests_go_where_aiobotocore_sends_them(
    region: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    seen = []

    class Response(AWSResponse):
        @property
        async def content(self) -> bytes:  # type: ignore[override]  # as aiobotocore's
            return b""

    async def send(request: Any, **_: Any) -> AWSResponse:
        text = request.headers["Authorization"]
        scope = (text if isinstance(text, str) else text.decode()).split("/")[2:4]
        seen.append((request.url, scope))
        return Response(request.url, 200, HTTPHeaders.from_dict(HEAD), None)

    for direct in (True, False):
        async with connected("", region=region, direct=direct) as clients:
            monkeypatch.setattr(clients.s3._endpoint.http_session, "send", send)
            await clients.s3.head_object(Bucket="my-bucket", Key="a/b")
    assert seen[0] == seen[1]
    assert seen[0][1] == [region, "s3"]


UNUSUAL: Mapping[str, tuple[str, dict[str, Any]]] = {
    "a parameter that is not in the table": ("head_object", {**TARGET, "PartNumber": 1}),
    "a bucket with a dot": ("head_object", {"Bucket": "my.bucket", "Key": "k"}),
    "a source with a dot": ("copy_object", {**TARGET, "CopySource": {"Bucket": "my.bucket", "Key": "k"}}),
    "a source as a text": ("copy_object", {**TARGET, "CopySource": "bucket/k"}),
}


@pytest.mark.parametrize(("method", "parameters"), UNUSUAL.values(), ids=UNUSUAL)
async def test_what_is_unusual_goes_through_aiobotocore(
    server: Server, method: str, parameters: dict[str, Any]
) -> None:
    async with connected(server.url) as clients:
        await getattr(clients.s3, method)(**parameters)
    assert [ways(request) for request in server.requests] == ["aiobotocore"]


FAILURES: Mapping[str, Answer] = {
    "busy": error(503, "SlowDown"),
    "a wrong clock": error(403, "RequestTimeTooSkewed"),
    "replaced keys": error(403, "InvalidAccessKeyId"),
    "a page of a proxy": lambda _: web.Response(status=403, text="<html/>", content_type="text/html"),
    "an error under status 200": error(200, "InternalError"),
    "another document": lambda _: web.Response(text="<ok/>", content_type="application/xml", headers=ID),
    "half a document": lambda _: web.Response(text="<CopyObjectResult><ETag>", headers=ID),
    "no id of the request": lambda _: web.Response(text=RESULT.format("CopyObjectResult", "")),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_after_a_failure_that_may_pass_aiobotocore_makes_the_call(
    server: Server, failure: Answer
) -> None:
    counted: list[tuple[str, str]] = []
    server.answers[:] = [failure, success]
    async with connected(server.url) as clients:
        meter(clients, lambda operation, outcome, _: counted.append((operation, outcome)))
        response = await clients.s3.copy_object(**CALLS["copy if new"][1])
    assert response["CopyObjectResult"]["ETag"] == '"e"'
    assert [ways(request) for request in server.requests] == ["direct", "aiobotocore"]
    assert server.requests[0][:2] == server.requests[1][:2]
    assert counted == [("s3:CopyObject", "ok")]


REFUSALS: Mapping[str, tuple[str, int, str]] = {
    "denied": ("copy", 403, "AccessDenied"),
    "archived": ("copy", 403, "InvalidObjectState"),
    "missing": ("part", 404, "NoSuchUpload"),
    "a condition": ("copy if new", 412, "PreconditionFailed"),
    "missing, without a body": ("head", 404, ""),
    "denied, without a body": ("head", 403, ""),
}


@pytest.mark.parametrize(("name", "status", "code"), REFUSALS.values(), ids=REFUSALS)
async def test_a_refused_call_is_not_repeated_and_its_error_is_that_of_aiobotocore(
    server: Server, name: str, status: int, code: str
) -> None:
    method, parameters = CALLS[name]
    server.answers[:] = [error(status, code)]
    errors: list[ClientError] = []
    counted: list[tuple[str, str]] = []
    for direct in (True, False):
        async with connected(server.url, direct=direct) as clients:
            meter(clients, lambda operation, outcome, _: counted.append((operation, outcome)))
            with pytest.raises(ClientError) as caught:
                await getattr(clients.s3, method)(**parameters)
            errors.append(caught.value)
    assert [ways(request) for request in server.requests] == ["direct", "aiobotocore"]
    own, other = errors
    assert (str(own), own.response["Error"]) == (str(other), other.response["Error"])
    assert (meaning_of(own), status_of(own)) == (meaning_of(other), status_of(other))
    assert counted[0] == counted[1]


async def test_a_bucket_in_another_region_goes_through_aiobotocore_from_then_on(server: Server) -> None:
    redirect = error(301, "PermanentRedirect")
    server.answers[:] = [redirect, success]
    async with connected(server.url) as clients:
        for _ in range(2):
            await clients.s3.head_object(**TARGET)
        await clients.s3.head_object(Bucket="another", Key="k")
    assert [ways(request) for request in server.requests] == [
        "direct",
        "aiobotocore",
        "aiobotocore",
        "direct",
    ]


async def test_calls_are_counted_whichever_way_they_go(server: Server) -> None:
    counted: list[tuple[str, str]] = []
    async with connected(server.url) as clients:
        meter(clients, lambda operation, outcome, _: counted.append((operation, outcome)))
        await clients.s3.head_object(**TARGET)
        await clients.s3.head_object(**TARGET, PartNumber=1)
    assert counted == [("s3:HeadObject", "ok")] * 2
