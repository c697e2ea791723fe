"""Counts and times every call to AWS, by hooks in the clients, so that no caller has to do it."""

import time
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from http import HTTPStatus
from typing import Any, Literal

from botocore.exceptions import ClientError

from orca_daemon.aws.clients import Clients
from orca_daemon.aws.errors import Meaning, meaning_of, status_of
from orca_daemon.aws.late_client import LateClient

CallOutcome = Literal["ok", "throttled", "error"]
"""The label `outcome` of the metrics of calls."""
OnCall = Callable[[str, CallOutcome, float], None]
"""Called with `service:Operation`, outcome and seconds."""
ANSWERS = frozenset({HTTPStatus.NOT_MODIFIED, HTTPStatus.PRECONDITION_FAILED})
"""Statuses that answer a conditional request; like `missing`, they are not a failure of AWS."""
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
