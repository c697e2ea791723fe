"""Counts and times every call to AWS, by hooks in the clients, so that no caller has to do it."""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import fields
from functools import partial
from http import HTTPStatus
from typing import Any, Literal

from botocore.exceptions import ClientError

from orca_daemon.aws.clients import Clients
from orca_daemon.aws.errors import Meaning, code_of, meaning_of, status_of
from orca_daemon.aws.late_client import LateClient

CallOutcome = Literal["ok", "throttled", "error"]
"""The label `outcome` of the metrics of calls."""
OnCall = Callable[[str, CallOutcome, float], None]
"""Called with `service:Operation`, outcome and seconds."""
ANSWERS = frozenset({HTTPStatus.NOT_MODIFIED, HTTPStatus.PRECONDITION_FAILED})
"""Statuses that answer a conditional request; like `missing`, they are not a failure of AWS."""
Call = Callable[[Mapping[str, Any]], Awaitable[Any]]
Around = Callable[[str, Mapping[str, Any], Call], Awaitable[Any]]
"""Makes a call: given `service:Operation` and parameters, it awaits the third argument with parameters."""
_STARTED = "orca_daemon_started"


def meter(clients: Clients, on_call: OnCall) -> None:
    """Call `on_call` after each call of each client; the client's retries belong to the same call."""
    for client in (getattr(clients, field.name) for field in fields(clients) if field.name != "direct"):
        if isinstance(client, LateClient):
            client.when_made(partial(_meter, on_call=on_call))
        else:
            _meter(client, on_call)
    for direct in clients.direct:
        direct.on_end = partial(_end_direct, on_call)


def surround(clients: Clients, around: Around) -> None:
    """Make every call of each client by `around`; presigned URLs are none."""
    for client in (getattr(clients, field.name) for field in fields(clients) if field.name != "direct"):
        if isinstance(client, LateClient):
            client.when_made(partial(_surround, around=around))
        else:
            _surround(client, around)


def _surround(client: Any, around: Around) -> None:
    service = client.meta.service_model.service_name
    make = client._make_api_call  # noqa: SLF001  botocore's events see neither a call's end nor its task
    replaced = {client.meta.method_to_api_mapping[name]: name for name in _replaced(client)}

    async def make_inside(operation: str, parameters: Mapping[str, Any]) -> Any:
        if operation in replaced:  # a direct call that is made again through aiobotocore
            return await make(operation, parameters)
        return await around(f"{service}:{operation}", parameters, partial(make, operation))

    client._make_api_call = make_inside  # noqa: SLF001  as above
    for operation, name in replaced.items():
        setattr(client, name, _inside(around, f"{service}:{operation}", getattr(client, name)))


def _replaced(client: Any) -> Iterator[str]:
    """The methods of a client that are direct calls."""
    return (name for name in vars(client) if name in client.meta.method_to_api_mapping)


def _inside(around: Around, operation: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def call(**parameters: Any) -> Any:
        return await around(operation, parameters, lambda changed: method(**changed))

    return call


def error_type(error: BaseException) -> str | None:
    """Names the error of a call; None if it is an answer and no failure."""
    if isinstance(error, Exception) and _outcome_of_error(error) == "ok":
        return None
    return code_of(error)


def _end_direct(on_call: OnCall, operation: str, error: Exception | None, seconds: float) -> None:
    on_call(operation, "ok" if error is None else _outcome_of_error(error), seconds)


def _meter(client: Any, on_call: OnCall) -> None:
    service = client.meta.service_model.service_name

    def start(context: dict[str, Any], **_: Any) -> None:
        context[_STARTED] = time.monotonic()

    def end(model: Any, context: dict[str, Any], outcome: CallOutcome) -> None:
        if (started := context.pop(_STARTED, None)) is not None:
            on_call(f"{service}:{model.name}", outcome, time.monotonic() - started)

    def on_response(parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        end(model, context, outcome_of(parsed, model.name))

    def on_error(event_name: str, context: dict[str, Any], **_: Any) -> None:
        operation = client.meta.service_model.operation_model(event_name.rsplit(".", 1)[1])
        end(operation, context, "error")

    client.meta.events.register("before-call", start)
    client.meta.events.register("after-call", on_response)
    client.meta.events.register("after-call-error", on_error)


def outcome_of(parsed: dict[str, Any], operation: str) -> CallOutcome:
    """The outcome of a call, from its parsed response.  MISSING is an answer, so it counts as `ok`."""
    response: Any = parsed
    error = ClientError(response, operation)
    if "Error" not in parsed and status_of(error) < HTTPStatus.BAD_REQUEST:
        return "ok"
    return _outcome_of_error(error)


def _outcome_of_error(error: Exception) -> CallOutcome:
    match meaning_of(error):
        case Meaning.THROTTLED:
            return "throttled"
        case Meaning.MISSING:
            return "ok"
        case _:
            return "ok" if status_of(error) in ANSWERS else "error"
