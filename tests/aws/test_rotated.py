"""Keys in a file that somebody replaces while the daemon runs."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from botocore.exceptions import ClientError

from orca_daemon.aws.clients import connect
from orca_daemon.settings import load
from tests.aws.honest import URL

JSON = "application/x-amz-json-1.0"
EXPIRED = {"__type": "com.amazon.coral.service#ExpiredTokenException", "message": "expired"}


@pytest.fixture
async def only_new() -> AsyncIterator[str]:
    """A queue that accepts the key NEW."""

    async def answer(request: web.Request) -> web.Response:
        if "Credential=NEW/" in request.headers["Authorization"]:
            return web.json_response({}, content_type=JSON)
        return web.json_response(EXPIRED, status=403, content_type=JSON)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.parametrize("name", ["AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"])
async def test_they_are_read_again_once_aws_does_not_accept_the_old_ones(
    only_new: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "keys"

    def write(key: str) -> None:
        file.write_text(f"[default]\naws_access_key_id={key}\naws_secret_access_key=s\naws_session_token=t\n")

    for each in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(each, raising=False)
    for each in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(each, str(file if each == name else tmp_path / "none"))
    write("OLD")
    given = {"AWS_REGION": "us-west-2", "ORCA_AWS__ENDPOINT_URL": only_new}
    async with connect(load(environ=given, need_queue=False)) as clients:
        with pytest.raises(ClientError, match="ExpiredToken"):
            await clients.poll.receive_message(QueueUrl=URL)
        await asyncio.to_thread(write, "NEW")
        with pytest.raises(ClientError, match="ExpiredToken"):
            await clients.poll.receive_message(QueueUrl=URL)
        # All clients have them.
        assert await clients.control.receive_message(QueueUrl=URL)
        assert await clients.poll.receive_message(QueueUrl=URL)
