"""The direct calls of SQS: the requests, endpoints and retries of aiobotocore, signed as AWS documents."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from aiohttp import web
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError

from orca_daemon.aws import direct_calls
from orca_daemon.aws.clients import Clients, connect
from orca_daemon.aws.direct_requests import Answer, Endpoint, Sender
from orca_daemon.aws.sqs import SqsSource
from orca_daemon.engine.backoff import Backoff
from orca_daemon.settings import load
from tests.aws.correct_responses import CALLS, MESSAGE, URL, Call

JSON = "application/x-amz-json-1.0"
SECRET = "a secret"
HOT = [call for call in CALLS if call.client == "sqs-direct"]


class Recorder:
    """A server that records requests and answers them in turn; the last answer stays."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Mapping[str, str], bytes]] = []
        self.answers: list[Callable[[], web.StreamResponse]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])()

    def replies(self, *documents: object, status: int = 200) -> None:
        """Add answers."""
        for document in documents:
            body = json.dumps(document)
            self.answers.append(
                lambda body=body: web.Response(status=status, text=body, content_type=JSON)  # type: ignore[misc]
            )


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    recorder = Recorder()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", recorder.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    recorder.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield recorder
    await runner.cleanup()


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setattr(direct_calls, "RETRY", Backoff(base=0, floor=0))


def clients(endpoint: str, *, direct: bool = True, region: str = "us-west-2") -> Any:
    environ = {"AWS_REGION": region, "ORCA_AWS__DIRECT_CALLS": str(direct).lower()}
    if endpoint:
        environ["ORCA_AWS__ENDPOINT_URL"] = endpoint
    return connect(load(environ=environ, need_queue=False))


async def called(clients: Clients, call: Call) -> Any:
    return await getattr(clients.control, call.method)(**call.parameters)


def signature(request: tuple[str, str, Mapping[str, str], bytes]) -> str:
    """The signature of a request (AWS: Signature Version 4, create a signed request)."""
    method, path, headers, body = request
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    authorization = lower["authorization"]
    scope = authorization.partition("Credential=AKID/")[2].partition(",")[0]
    names = authorization.partition("SignedHeaders=")[2].partition(",")[0]
    lines = [method, path, "", *(f"{name}:{lower[name]}" for name in names.split(";")), "", names]
    canonical = "\n".join([*lines, hashlib.sha256(body).hexdigest()])
    text = "\n".join(
        ["AWS4-HMAC-SHA256", lower["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


@pytest.mark.parametrize("call", HOT, ids=lambda call: call.method)
async def test_a_direct_call_sends_what_aiobotocore_sends(recorder: Recorder, call: Call) -> None:
    recorder.replies(json.loads(call.body))
    for direct in (True, False):
        async with clients(recorder.url, direct=direct) as connected:
            await called(connected, call)
    own, other = recorder.requests
    assert own[:2] == other[:2] == ("POST", "/")
    assert json.loads(own[3]) == json.loads(other[3]) == call.parameters
    for name in ("Host", "X-Amz-Target", "Content-Type", "x-amzn-query-mode"):
        assert own[2][name] == other[2][name]
    assert own[2]["X-Amz-Security-Token"] == "token"


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("call", HOT, ids=lambda call: call.method)
async def test_the_signature_is_the_one_that_aws_documents(
    recorder: Recorder,
    call: Call,
    direct: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    recorder.replies(json.loads(call.body))
    async with clients(recorder.url, direct=direct) as connected:
        await called(connected, call)
    [request] = recorder.requests
    assert request[2]["Authorization"].endswith(f"Signature={signature(request)}")


@pytest.mark.parametrize(
    ("region", "environ"),
    [
        ("us-east-1", {}),
        ("us-west-2", {}),
        ("cn-north-1", {}),
        ("us-gov-west-1", {}),
        ("us-east-1", {"AWS_USE_FIPS_ENDPOINT": "true"}),
        ("eu-central-1", {"AWS_USE_DUALSTACK_ENDPOINT": "true"}),
        ("eu-central-1", {"AWS_ENDPOINT_URL_SQS": "https://vpce-1.sqs.example.org"}),
    ],
    ids=["us-east-1", "us-west-2", "china", "gov", "fips", "dualstack", "vpc endpoint"],
)
async def test_requests_go_where_aiobotocore_sends_them(
    region: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    urls, authorizations = [], []

    def sent(request: Any) -> None:
        urls.append(request.url)
        text = request.headers["Authorization"]
        authorizations.append((text if isinstance(text, str) else text.decode()).split("/")[2:4])

    class Response(AWSResponse):
        @property
        async def content(self) -> bytes:  # type: ignore[override]  # as aiobotocore's
            return b"{}"

    async def through_aiobotocore(request: Any, **_: Any) -> AWSResponse:
        sent(request)
        return Response(request.url, 200, HTTPHeaders.from_dict({"content-type": JSON}), None)

    async def direct(_: Sender, request: Any, __: Endpoint) -> Answer:
        sent(request)
        return Answer(200, {"content-type": JSON}, b"{}")

    async with clients("", region=region) as connected:
        connected.control.meta.events.register("before-send.sqs.GetQueueUrl", through_aiobotocore)
        with pytest.raises(Exception, match="QueueUrl"):
            await connected.control.get_queue_url(QueueName="q")
        monkeypatch.setattr(Sender, "send", direct)
        await connected.control.receive_message(QueueUrl=URL)
    assert urls[0] == urls[1]
    assert authorizations[0] == authorizations[1] == [region, "sqs"]


async def test_a_proxy_is_used(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder.replies({"Messages": [MESSAGE]})
    monkeypatch.setenv("HTTP_PROXY", recorder.url)
    monkeypatch.setenv("NO_PROXY", "")
    async with clients("http://sqs.example.invalid") as connected:
        response = await connected.poll.receive_message(QueueUrl=URL)
    assert response["Messages"][0]["MessageId"] == "m-1"
    [(_, path, headers, _)] = recorder.requests
    assert (path, headers["Host"]) == ("http://sqs.example.invalid/", "sqs.example.invalid")


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_a_call_is_repeated_if_aws_fails_and_a_receive_is_not(recorder: Recorder, status: int) -> None:
    recorder.replies({"__type": "InternalFailure"}, {"__type": "InternalFailure"}, status=status)
    recorder.replies({"Successful": [{"Id": "0"}]})
    delete = next(call for call in HOT if call.method == "delete_message_batch")
    async with clients(recorder.url) as connected:
        assert await called(connected, delete) == {"Successful": [{"Id": "0"}]}
        assert len(recorder.requests) == 3
        recorder.answers.clear()
        recorder.replies({"__type": "InternalFailure"}, status=status)
        with pytest.raises(ClientError):
            await connected.poll.receive_message(QueueUrl=URL)
    assert len(recorder.requests) == 4


async def test_a_refused_call_is_not_repeated_and_names_its_code(recorder: Recorder) -> None:
    recorder.answers.append(
        lambda: web.Response(
            status=400,
            text='{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The queue does not exist."}',
            content_type=JSON,
            headers={"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"},
        )
    )
    async with clients(recorder.url) as connected:
        with pytest.raises(ClientError) as caught:
            await connected.control.send_message(QueueUrl=URL, MessageBody="x")
    assert caught.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert len(recorder.requests) == 1


async def test_binary_attributes_arrive_as_bytes(recorder: Recorder) -> None:
    attribute = {"DataType": "Binary", "BinaryValue": "AP8="}
    recorder.replies({"Messages": [{**MESSAGE, "MessageAttributes": {"a": attribute}}]})
    async with clients(recorder.url) as connected:
        source = SqsSource(connected.poll, connected.control, URL)
        [envelope] = await source.receive(1, wait=0, lease=30)
    assert envelope.raw_attributes == {"a": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}


async def test_a_cancelled_receive_leaves_the_client_usable(recorder: Recorder) -> None:
    recorder.replies({"Messages": [MESSAGE]})
    async with clients(recorder.url) as connected:
        receiving = asyncio.create_task(connected.poll.receive_message(QueueUrl=URL))
        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving
        assert await connected.poll.receive_message(QueueUrl=URL)
