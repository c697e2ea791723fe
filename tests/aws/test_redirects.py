"""A proxy that sends the daemon elsewhere: it does not go there, with its token and its messages."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.clients import connect
from orca_daemon.aws.errors import Meaning, meaning_of
from orca_daemon.settings import load
from tests.aws.honest import URL

MOST = 10
"""Requests of two calls, with the client's own retries."""


@pytest.fixture
async def met() -> AsyncIterator[tuple[str, list[str]]]:
    """A server that redirects everything to `/elsewhere`, and the paths that it was asked for."""
    paths: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        if request.path == "/elsewhere":
            return web.json_response({}, content_type="application/x-amz-json-1.0")
        status = int(request.path.strip("/").partition("/")[0])
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", paths
    await runner.cleanup()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_error_that_may_pass_and_is_not_followed(
    met: tuple[str, list[str]], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, paths = met
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "local")
    given = {"AWS_REGION": "us-west-2", "ORCA_AWS__ENDPOINT_URL": f"{url}/{status}"}
    async with connect(load(environ=given, need_queue=False)) as clients:
        calls: list[Any] = [
            clients.poll.receive_message(QueueUrl=URL),
            clients.s3.get_object(Bucket="bucket", Key="key"),
        ]
        for call in calls:
            with pytest.raises(CALL_ERRORS) as caught:
                await call
            assert meaning_of(caught.value) is Meaning.PASSING
    assert "/elsewhere" not in paths
    assert len(calls) <= len(paths) < MOST
