"""The four calls of SQS's hot path, sent past botocore's serializer, endpoint rules and events.

A call through aiobotocore costs 2.6 times as much CPU as the same request through its parts (decision 0040).
The parts that decide anything are still its own: HTTP session (TLS, proxies, timeouts), credentials,
endpoint, signer, and the parser of errors.  A response has to prove itself here as it has there.
"""

import asyncio
import json
import random
import time
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from orca_daemon.aws.call_errors import CALL_ERRORS
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
from orca_daemon.aws.errors import Meaning, meaning_of
from orca_daemon.aws.responses import Response, flaw
from orca_daemon.aws.session import UnprovenError

OPERATIONS: Mapping[str, str] = {
    "receive_message": "ReceiveMessage",
    "delete_message_batch": "DeleteMessageBatch",
    "change_message_visibility_batch": "ChangeMessageVisibilityBatch",
    "send_message": "SendMessage",
}
"""Method of the client to operation of SQS."""
_MEMBERS: Mapping[str, Mapping[str, type]] = {
    "ReceiveMessage": {"Messages": list},
    "DeleteMessageBatch": {"Successful": list, "Failed": list},
    "ChangeMessageVisibilityBatch": {"Successful": list, "Failed": list},
    "SendMessage": {
        "MessageId": str,
        "MD5OfMessageBody": str,
        "MD5OfMessageAttributes": str,
        "SequenceNumber": str,
    },
}
"""Members of each response that are read (AWS: API reference of SQS)."""
_ERROR: Final = 300
"""The lowest HTTP status that is not a success."""


class DirectCalls:
    """The hot calls of one client of SQS."""

    def __init__(self, client: Any, session: Any, *, user_agent: str, tries: int) -> None:
        self._client, self._session = client, session
        self._user_agent, self._tries = user_agent, tries
        self._sender = Sender(client._endpoint.http_session)  # noqa: SLF001  the client's own pool, TLS and proxies
        self._parser = session.get_component("response_parser_factory").create_parser("json")
        self._random = random.Random()
        self._endpoint: Endpoint | None = None
        self.on_end: OnEnd = lambda *_: None

    def replace(self) -> None:
        """Replace the four methods of the client."""
        for method, operation in OPERATIONS.items():
            setattr(self._client, method, self._method(operation))

    def _method(self, operation: str) -> Callable[..., Awaitable[Mapping[str, Any]]]:
        async def call(**parameters: Any) -> Mapping[str, Any]:
            return await self._call(operation, parameters)

        return call

    async def _call(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        started = time.monotonic()
        try:
            response = await self._tried(operation, parameters)
        except Exception as error:
            self.on_end(f"sqs:{operation}", error, time.monotonic() - started)
            raise
        self.on_end(f"sqs:{operation}", None, time.monotonic() - started)
        return response

    async def _tried(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        attempt = 1
        while True:
            try:
                return await self._once(operation, parameters)
            except CALL_ERRORS as error:
                if attempt >= self._tries or not _may_be_repeated(error):
                    raise
            await asyncio.sleep(RETRY.delay(attempt, self._random))
            attempt += 1

    async def _once(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        endpoint = self._endpoint or await self._resolve()
        request = Request(
            endpoint.url,
            {
                **endpoint.headers,
                "X-Amz-Target": f"AmazonSQS.{operation}",
                "Content-Type": "application/x-amz-json-1.0",
                # SQS then adds the code of its older protocol, which botocore reports.
                "x-amzn-query-mode": "true",
                "User-Agent": self._user_agent,
            },
            json.dumps(parameters, default=_binary).encode(),
        )
        credentials = await self._session.get_credentials()
        frozen = await credentials.get_frozen_credentials() if credentials else None
        sign(request, frozen, endpoint)
        answer = await self._sender.send(request, endpoint)
        if answer.status_code >= _ERROR:
            raise await error_of(self._client, self._parser, operation, answer)
        return _proven(operation, parameters, answer)

    async def _resolve(self) -> Endpoint:
        """Ask botocore, once: the endpoint of the four calls depends on no parameter."""
        self._endpoint = await resolved(self._client, "ReceiveMessage", {})
        return self._endpoint


def applicable(client: Any) -> bool:
    """Whether the client signs as the direct calls do."""
    return client.meta.config.signature_version in {None, "v4"}


def _may_be_repeated(error: BaseException) -> bool:
    if isinstance(error, UnprovenError):
        return False
    return meaning_of(error) in {Meaning.THROTTLED, Meaning.PASSING}


def _proven(operation: str, parameters: Mapping[str, Any], answer: Answer) -> Mapping[str, Any]:
    try:
        parsed = _parsed(operation, answer.body)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        reason = f"it cannot be parsed ({type(error).__name__})"
        raise UnprovenError(operation=operation, flaw=reason) from error
    response = Response(
        operation=f"sqs.{operation}",
        parameters=parameters,
        parsed=parsed,
        status=answer.status_code,
        headers=answer.headers,
        body=answer.body,
    )
    if why := flaw(response):
        raise UnprovenError(operation=operation, flaw=why)
    return parsed


def _parsed(operation: str, body: bytes) -> dict[str, Any]:
    """The members of the response that are read; those that are null are left out, as botocore does.

    Raises:
        ValueError, TypeError, AttributeError, RecursionError: it is not of the form that SQS documents.
    """
    document = json.loads(body.decode())
    parsed: dict[str, Any] = {}
    for name, kind in _MEMBERS[operation].items():
        value: Any = document.get(name)
        if value is None:
            continue
        if not isinstance(value, kind):
            raise TypeError(name)
        parsed[name] = _items(value) if kind is list else value
    return parsed


def _items(values: Any) -> list[dict[str, Any]]:
    return [_item(each) for each in values]


def _item(item: Any) -> dict[str, Any]:
    members = {name: value for name, value in item.items() if value is not None}
    if "MessageAttributes" in members:
        members["MessageAttributes"] = {
            name: _attribute(value) for name, value in members["MessageAttributes"].items()
        }
    return members


def _attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    members = {name: value for name, value in attribute.items() if value is not None}
    if "BinaryValue" in members:
        members["BinaryValue"] = b64decode(members["BinaryValue"])
    return members


def _binary(value: object) -> str:
    """JSON has no bytes: SQS takes and sends them as base64."""
    if isinstance(value, bytes | bytearray):
        return b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is not a parameter of SQS")
