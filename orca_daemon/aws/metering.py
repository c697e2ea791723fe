"""Times every call to AWS: a hook in the clients, so that no caller has to think of it."""

import time
from collections.abc import Callable
from dataclasses import fields
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError

from orca_daemon.aws.clients import Clients
from orca_daemon.aws.errors import Meaning, meaning_of, status_of

ANSWERS = frozenset({HTTPStatus.NOT_MODIFIED, HTTPStatus.PRECONDITION_FAILED})
"""These answer a question that was asked, as that something is missing does; they are no failure of AWS."""
_STARTED = "orca_daemon_started"


def meter(clients: Clients, called: Callable[[str, str, float], None]) -> None:
    """Tell `called` of each call of each client: `service:Operation`, outcome, seconds.

    The outcome is `ok`, `throttled` or `error`; retries of the client count as one call.
    """
    for field in fields(clients):
        _meter(getattr(clients, field.name), called)


def _meter(client: Any, called: Callable[[str, str, float], None]) -> None:
    service = client.meta.service_model.service_name

    def begun(context: dict[str, Any], **_: Any) -> None:
        context[_STARTED] = time.monotonic()

    def ended(model: Any, context: dict[str, Any], outcome: str) -> None:
        if (started := context.pop(_STARTED, None)) is not None:
            called(f"{service}:{model.name}", outcome, time.monotonic() - started)

    def answered(parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        ended(model, context, outcome_of(parsed, model.name))

    def failed(event_name: str, context: dict[str, Any], **_: Any) -> None:
        operation = client.meta.service_model.operation_model(event_name.rsplit(".", 1)[1])
        ended(operation, context, "error")

    client.meta.events.register("before-call", begun)
    client.meta.events.register("after-call", answered)
    client.meta.events.register("after-call-error", failed)


def outcome_of(parsed: dict[str, Any], operation: str) -> str:
    """What a parsed answer amounts to."""
    answer: Any = parsed
    error = ClientError(answer, operation)
    if "Error" not in parsed and status_of(error) < HTTPStatus.BAD_REQUEST:
        return "ok"
    match meaning_of(error):
        case Meaning.THROTTLED:
            return "throttled"
        case Meaning.MISSING:
            return "ok"
        case _:
            return "ok" if status_of(error) in ANSWERS else "error"
