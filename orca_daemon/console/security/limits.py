"""Limits the body of a request in bytes and seconds, and how long a peer may delay our answer."""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orca_daemon.console.security.answers import belongs_to_api, refusal

FORM = 256 * 1024
"""Largest form, bytes."""
JSON = 6 * 1024 * 1024
"""Largest body of a request to the API, bytes: what a Lambda takes, and so ORCA (AWS: Lambda quotas)."""
ALL = 64 * 1024 * 1024
"""Bytes of all bodies that wait at one time, from visitors that may be strangers."""
BODY_SECONDS = 20.0
SEND_SECONDS = 30.0
"""How long one part of an answer may wait for a peer that does not read."""


class TooLargeError(Exception):
    """The body is larger than its limit."""


class BusyError(Exception):
    """All bodies together are larger than their limit."""


class Limits:
    """An ASGI layer: the layers and routes within get the whole body at once."""

    def __init__(self, app: ASGIApp, body_seconds: float = BODY_SECONDS) -> None:
        self._app, self._body_seconds = app, body_seconds
        self._held = 0
        """Bytes of the bodies of all requests that are under way."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)

        held = 0

        def hold(size: int) -> None:
            nonlocal held
            held += size
            self._held += size
            if held > limit:
                raise TooLargeError
            if self._held > ALL:
                raise BusyError

        limit = JSON if belongs_to_api(scope["path"]) else FORM
        close, answer, body = {"Connection": "close"}, None, b""
        try:
            async with asyncio.timeout(self._body_seconds):
                body = await _body(receive, hold)
        except TooLargeError:
            answer = refusal(scope, 413, f"The body is larger than {limit} bytes.", close)
        except TimeoutError:
            answer = refusal(scope, 408, "The body did not arrive in time.", close)
        except BusyError:
            answer = refusal(scope, 503, "Too much arrives at one time.", close)
        try:
            if answer:
                await answer(scope, receive, send_in_time)
            else:
                await self._app(scope, replayed(_whole(body), receive), send_in_time)
        finally:
            self._held -= held


async def _body(receive: Receive, hold: Callable[[int], None]) -> bytes:
    """The whole body.  Raises what `hold` raises."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":  # the peer is gone; nobody reads the answer
            return bytes(body)
        hold(len(message.get("body", b"")))
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


def _whole(body: bytes) -> Message:
    return {"type": "http.request", "body": body, "more_body": False}


def replayed(message: Message, receive: Receive) -> Receive:
    """A `receive` that gives this message once, then what the peer sends next."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return message

    return replay
