"""Sends one message, and checks that SQS received the bytes that were sent."""

import os
from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import Any

from orca_daemon.wire.outgoing import Outgoing, md5
from orca_daemon.wire.queue_url import normalised, region_of
from orca_daemon.wire.trace_context import carrying

_ENDPOINTS = ("AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL")
_client_lock = Lock()


class SendError(Exception):
    """SQS did not confirm the message that was sent; it may be sent again."""


def get_aws_region() -> str:
    """The region of the queues.

    Raises:
        ValueError: the environment variable AWS_REGION is not set, or is empty.
    """
    region = os.environ.get("AWS_REGION")
    if not region:
        raise ValueError("the environment variable AWS_REGION is not set, or is empty")
    return region


def sqs(queue_url: str = "") -> Any:
    """The process's SQS client for the region in the URL, by the current environment."""
    region = region_of(queue_url) if queue_url else None
    # Making a boto3 client is not thread-safe; using it is.
    with _client_lock:
        return _sqs(region or get_aws_region(), *(os.environ.get(name) for name in _ENDPOINTS))


@lru_cache(maxsize=4)
def _sqs(region: str, *_endpoints: str | None) -> Any:
    import boto3

    return boto3.session.Session().client("sqs", region_name=region)


def send(message: Outgoing, queue_url: str, *, client: Any = None) -> str:
    """Send one message.

    Args:
        message: the message.
        queue_url: URL of the queue.
        client: a boto3 SQS client; by default one for the region in the URL, else in AWS_REGION.

    Returns:
        The message id that SQS gave to the message.

    Raises:
        SendError: the response is not SQS's confirmation of this message.
        botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: as boto3 raises them.
    """
    url = normalised(queue_url)
    message = carrying(message)
    call = (client or sqs(url)).send_message
    return confirmed_id(message, checked_call(call, QueueUrl=url, **message.parameters()))


def checked_call(call: Callable[..., Any], **request: Any) -> Any:
    """Call a method of a boto3 client, and check the response.

    Raises:
        SendError: the response is not SQS's.
        botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: as boto3 raises them.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        response = call(**request)
    except (BotoCoreError, ClientError):
        raise
    except Exception as error:  # botocore fails in many ways on a response that is not SQS's
        raise SendError(f"the response is not an answer of SQS ({type(error).__name__})") from error
    check_status(response)
    return response


def check_status(response: Any) -> None:
    """Raise `SendError` unless the HTTP status is in the 200s."""
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    if not 200 <= status <= 299:  # noqa: PLR2004  HTTP's range of success
        raise SendError(f"SQS answered with HTTP status {status}")


def confirmed_id(message: Outgoing, result: Any) -> str:
    """The id that SQS gave to the message.

    Raises:
        SendError: SQS does not confirm the body that was sent.
    """
    if result.get("MD5OfMessageBody") != md5(message.body):
        raise SendError("the MD5 of the body that SQS received is not that of the body that was sent")
    if not result.get("MessageId"):
        raise SendError("SQS returned no message id")
    return str(result["MessageId"])
