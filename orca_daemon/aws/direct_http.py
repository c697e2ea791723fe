"""Exchanges one request and its response over a connection of an aiohttp session's pool.

Pool, TLS, time limits and the parser of responses are aiohttp's.  Left out are the objects that it makes for
each request and response: they take more than half of the CPU time of a request (decision 0062).
"""

import asyncio
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, Final, NamedTuple

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import BaseConnector, Connection
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

_REPEATABLE: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""Methods that may be sent twice (RFC 9110, idempotent methods); of those that are used here."""
_INTERIM = range(100, 200)
"""Statuses of responses that another one follows (RFC 9110, informational)."""


class Exchanged(NamedTuple):
    """A response that was read to its end."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


class Exchange:
    """The way to one endpoint, over the connections of one session.

    Args:
        session: aiohttp's; its pool, its TLS and its time limits count.
        url: any URL of the endpoint.
        host: the header `Host`.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, host: str) -> None:
        self._session, self._host = session, host
        # The connector reads host, port and TLS from a request; this one is never sent.
        self._request = aiohttp.ClientRequest("GET", URL(url), loop=asyncio.get_running_loop())

    async def __call__(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> Exchanged:
        """Send a request, and read the response to its end.

        Args:
            method: `HEAD`, `PUT`, `POST`.
            target: path and query, percent-encoded.
            headers: all but `Host`, `Accept` and `Content-Length`.
            body: None if there is none.

        Raises:
            aiohttp.ClientError, TimeoutError: as `ClientSession.request` raises them.
            ValueError: a header has a line break.
        """
        head = _head(method, target, {"Host": self._host, "Accept": "*/*", **headers}, body)
        again = method in _REPEATABLE
        while True:
            try:
                return await self._once(head + (body or b""), has_body=method != "HEAD")
            except aiohttp.ClientConnectorError:
                raise
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
                # The other side may have closed a connection while it was in the pool.
                if not again:
                    raise
                again = False

    async def _once(self, sent: bytes, *, has_body: bool) -> Exchanged:
        connection = await self._connection()
        try:
            exchanged = await self._on(connection.protocol, sent, has_body=has_body)
        except BaseException:
            connection.close()
            raise
        connection.release()
        return exchanged

    async def _connection(self) -> Connection:
        connector = self._session.connector
        if connector is None:
            raise aiohttp.ClientConnectionError("the session is closed")
        try:
            return await connector.connect(self._request, traces=[], timeout=self._session.timeout)
        except aiohttp.ClientError:
            raise
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {self._host}") from error

    async def _on(self, protocol: ResponseHandler | None, sent: bytes, *, has_body: bool) -> Exchanged:
        if protocol is None or not isinstance(protocol.transport, asyncio.WriteTransport):
            raise aiohttp.ServerDisconnectedError
        protocol.set_response_params(
            skip_payload=not has_body,
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=self._session.timeout.sock_read,
        )
        try:
            protocol.transport.write(sent)
            protocol.start_timeout()
            message, payload = await protocol.read()
            while message.code in _INTERIM:
                message, payload = await protocol.read()
            return Exchanged(message.code, message.raw_headers, await payload.read())
        except HttpProcessingError as error:
            raise aiohttp.ClientError(f"not an HTTP response: {error.message}") from error
        except (aiohttp.ClientError, TimeoutError):
            raise
        except OSError as error:
            raise aiohttp.ClientOSError(*error.args) from error


def _head(method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *[f"{name}: {value}" for name, value in headers.items()]]
    if body is not None or method == "PUT":
        lines.append(f"Content-Length: {len(body or b'')}")
    head = "\r\n".join(lines)
    if not head.count("\r") == head.count("\n") == len(lines) - 1 or "\0" in head:
        raise ValueError("a header must not have a line break or a NUL")
    return f"{head}\r\n\r\n".encode()


def _fits() -> bool:
    def takes(function: Any, *names: str) -> bool:
        return set(names) <= set(signature(function).parameters)

    return (
        takes(BaseConnector.connect, "req", "traces", "timeout")
        and takes(
            ResponseHandler.set_response_params,
            *("skip_payload", "read_until_eof", "auto_decompress", "read_timeout"),
        )
        and takes(aiohttp.ClientRequest.__init__, "loop")
        and hasattr(ResponseHandler, "start_timeout")
    )


FITS: Final = _fits()
"""Whether this aiohttp has what is used here; its documentation promises none of it."""
