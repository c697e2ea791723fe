"""Limits the body of a request in bytes and seconds, and how long a peer may delay our answer."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orca_daemon.console.security.answers import belongs_to_api, refusal

FORM = 256 * 1024
"""Largest form, bytes."""
JSON = 6 * 1024 * 1024
"""Largest body of a request to the API, bytes: what a Lambda takes, and so ORCA (AWS: Lambda quotas)."""
BODY_SECONDS = 20.0
SEND_SECONDS = 30.0
"""How long one part of an answer may wait for a peer that does not read."""


class TooLargeError(Exception):
    """The body is larger than its limit."""


class Limits:
    """An ASGI layer: the layers and routes within get the whole body at once."""

    def __init__(self, app: ASGIApp, body_seconds: float = BODY_SECONDS) -> None:
        self._app, self._body_seconds = app, body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)

        limit = JSON if belongs_to_api(scope["path"]) else FORM
        try:
            async with asyncio.timeout(self._body_seconds):
                body = await _body(receive, limit)
        except TooLargeError:
            close = {"Connection": "close"}
            answer = refusal(scope, 413, f"The body is larger than {limit} bytes.", close)
            await answer(scope, receive, send_in_time)
        except TimeoutError:
            close = {"Connection": "close"}
            answer = refusal(scope, 408, "The body did not arrive in time.", close)
            await answer(scope, receive, send_in_time)
        else:
            await self._app(scope, _replay(body, receive), send_in_time)


async def _body(receive: Receive, limit: int) -> bytes:
    """The whole body.  Raises TooLargeError."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":  # the peer is gone; nobody reads the answer
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > limit:
            raise TooLargeError
        if not message.get("more_body"):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives this body once, then waits for the peer to leave."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
