"""What aiohttp raises comes out of a direct call as aiobotocore reports it, on both ways to send it."""

import aiohttp
import pytest
from aiobotocore.httpsession import AIOHTTPSession
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)

from orca_daemon.aws import direct_requests
from orca_daemon.aws.direct_requests import Endpoint, Request, Sender

ENDPOINT = Endpoint("http://sqs.example.org/", {}, "us-west-2", "sqs", "sqs.example.org")


class Failing:
    """An aiohttp session whose requests fail, and so does the way past it."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def request(self, *_: object, **__: object) -> None:
        raise self._error

    def exchange(self, *_: object) -> "Failing":
        return self

    async def __call__(self, *_: object) -> None:
        raise self._error


@pytest.mark.parametrize("fits", [True, False], ids=["past the session", "by the session"])
@pytest.mark.parametrize(
    ("error", "reported"),
    [
        (aiohttp.ServerDisconnectedError(), ConnectionClosedError),
        (aiohttp.ClientPayloadError(), ConnectionClosedError),
        (aiohttp.ServerTimeoutError("Connection timeout to host"), ConnectTimeoutError),
        (aiohttp.ServerTimeoutError("Timeout on reading data"), ReadTimeoutError),
        (aiohttp.ClientOSError(104, "reset"), EndpointConnectionError),
        (ValueError("invalid"), HTTPClientError),
    ],
    ids=["disconnected", "cut off", "no connection in time", "no answer in time", "reset", "anything else"],
)
async def test_a_direct_call_reports_a_failure_as_aiobotocore_does(
    error: Exception, reported: type[Exception], monkeypatch: pytest.MonkeyPatch, *, fits: bool
) -> None:
    failing = Failing(error)

    async def session(_: AIOHTTPSession, __: str | None) -> Failing:
        return failing

    monkeypatch.setattr(direct_requests, "FITS", fits)
    monkeypatch.setattr(direct_requests, "Exchange", failing.exchange)
    monkeypatch.setattr(AIOHTTPSession, "_get_session", session)
    with pytest.raises(reported) as raised:
        await Sender(AIOHTTPSession()).send(Request(ENDPOINT.url, {}), ENDPOINT)
    assert type(raised.value) is reported
