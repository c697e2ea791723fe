"""Sending one message, and making sure that it arrived as it was meant."""

import os
from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import Any

from orca_daemon.wire.outgoing import Outgoing, md5
from orca_daemon.wire.queue_url import normalised, region_of

_ENDPOINTS = ("AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL")
_making_clients = Lock()


class SendError(Exception):
    """SQS did not take the message, or took another one than was sent; it may be sent again."""


def get_aws_region() -> str:
    """The region in which the queues are.

    Raises:
        ValueError: the environment variable AWS_REGION is not set, or is empty.
    """
    region = os.environ.get("AWS_REGION")
    if not region:
        raise ValueError("the environment variable AWS_REGION is not set, or is empty")
    return region


def sqs(queue_url: str = "") -> Any:
    """The process's SQS client, from the environment as it is now, and for the region that the URL names."""
    region = region_of(queue_url) if queue_url else None
    # boto3 makes clients in one thread at a time only; using them is safe in all.
    with _making_clients:
        return _sqs(region or get_aws_region(), *(os.environ.get(name) for name in _ENDPOINTS))


@lru_cache(maxsize=4)
def _sqs(region: str, *_endpoints: str | None) -> Any:
    import boto3

    return boto3.session.Session().client("sqs", region_name=region)


def send(message: Outgoing, queue_url: str, *, client: Any = None) -> str:
    """Send one message.

    Args:
        message: what to send.
        queue_url: the queue.
        client: a boto3 SQS client; by default one for the region that the URL names, else AWS_REGION.

    Returns:
        The message id that SQS gave it.

    Raises:
        SendError: what came back is not SQS's answer to this message.
        botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: as boto3 raises them.
    """
    url = normalised(queue_url)
    call = (client or sqs(url)).send_message
    return check_receipt(message, answered(call, QueueUrl=url, **message.parameters()))


def answered(call: Callable[..., Any], **request: Any) -> Any:
    """The answer of a call of boto3's client.

    Raises:
        SendError: what came back is not an answer of SQS.
        botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: as boto3 raises them.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = call(**request)
    except (BotoCoreError, ClientError):
        raise
    except Exception as error:  # botocore fails in many ways on what is no answer
        raise SendError(f"what came back is not an answer of SQS ({type(error).__name__})") from error
    check_answer(answer)
    return answer


def check_answer(answer: Any) -> None:
    """Raise `SendError` unless the HTTP status is in the 200s."""
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    if not 200 <= status <= 299:  # noqa: PLR2004  what HTTP calls success
        raise SendError(f"SQS answered with HTTP status {status}")


def check_receipt(message: Outgoing, receipt: Any) -> str:
    """The id that SQS gave to the message.

    Raises:
        SendError: SQS does not say that it holds the body that was sent.
    """
    if receipt.get("MD5OfMessageBody") != md5(message.body):
        raise SendError("the MD5 of the body that SQS took is not that of the body that was sent")
    if not receipt.get("MessageId"):
        raise SendError("SQS gave the message no id")
    return str(receipt["MessageId"])
