"""The session of the clients: redirects are not followed, and replaced keys are read again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from botocore.exceptions import ClientError

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.clients import connect
from orca_daemon.aws.errors import Meaning, meaning_of
from orca_daemon.settings import load
from tests.aws.correct_responses import URL

MOST_REQUESTS = 10
"""Requests of two calls, with the client's own retries."""
JSON = "application/x-amz-json-1.0"
EXPIRED = {"__type": "com.amazon.coral.service#ExpiredTokenException", "message": "expired"}


async def _serve(answer: Any) -> tuple[web.AppRunner, str]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.fixture
async def redirecting() -> AsyncIterator[tuple[str, list[str]]]:
    """A server that redirects every request to `/elsewhere`, and the paths of the requests."""
    paths: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        if request.path == "/elsewhere":
            return web.json_response({}, content_type=JSON)
        status = int(request.path.strip("/").partition("/")[0])
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    runner, url = await _serve(answer)
    yield url, paths
    await runner.cleanup()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_error_that_may_pass_and_is_not_followed(
    redirecting: tuple[str, list[str]], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, paths = redirecting
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "local")
    environ = {"AWS_REGION": "us-west-2", "ORCA_AWS__ENDPOINT_URL": f"{url}/{status}"}
    async with connect(load(environ=environ, need_queue=False)) as clients:
        calls: list[Any] = [
            clients.poll.receive_message(QueueUrl=URL),
            clients.s3.get_object(Bucket="bucket", Key="key"),
        ]
        for call in calls:
            with pytest.raises(CALL_ERRORS) as caught:
                await call
            assert meaning_of(caught.value) is Meaning.PASSING
    assert "/elsewhere" not in paths
    assert len(calls) <= len(paths) < MOST_REQUESTS


@pytest.fixture
async def accepting_new_keys() -> AsyncIterator[str]:
    """A queue that accepts only the key NEW."""

    async def answer(request: web.Request) -> web.Response:
        if "Credential=NEW/" in request.headers["Authorization"]:
            return web.json_response({}, content_type=JSON)
        return web.json_response(EXPIRED, status=403, content_type=JSON)

    runner, url = await _serve(answer)
    yield url
    await runner.cleanup()


@pytest.mark.parametrize("direct", ["true", "false"], ids=["direct", "aiobotocore"])
@pytest.mark.parametrize("name", ["AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"])
async def test_replaced_keys_are_read_again_once_aws_refuses_the_old_ones(
    accepting_new_keys: str, name: str, direct: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys"

    def write(key: str) -> None:
        file.write_text(f"[default]\naws_access_key_id={key}\naws_secret_access_key=s\naws_session_token=t\n")

    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(variable, str(file if variable == name else tmp_path / "none"))
    write("OLD")
    environ = {
        "AWS_REGION": "us-west-2",
        "ORCA_AWS__ENDPOINT_URL": accepting_new_keys,
        "ORCA_AWS__DIRECT_CALLS": direct,
    }
    async with connect(load(environ=environ, need_queue=False)) as clients:
        with pytest.raises(ClientError, match="ExpiredToken"):
            await clients.poll.receive_message(QueueUrl=URL)
        await asyncio.to_thread(write, "NEW")
        with pytest.raises(ClientError, match="ExpiredToken"):
            await clients.poll.receive_message(QueueUrl=URL)
        # All clients have the new keys now, not only the one whose request was refused.
        await clients.control.receive_message(QueueUrl=URL)
        await clients.poll.receive_message(QueueUrl=URL)
