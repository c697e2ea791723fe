"""Sends granules to the metadata queue, whose reader writes them to ORCA's catalog."""

from collections.abc import Iterable, Mapping
from typing import Any

from orca_daemon.producer.batch import Sent, send_batch
from orca_daemon.producer.queue import send
from orca_daemon.wire import catalog
from orca_daemon.wire.outgoing import Outgoing


def post_to_metadata_queue(
    sqs_body: Mapping[str, Any], metadata_queue_url: str, *, client: Any = None
) -> None:
    """Send this JSON object to the metadata queue, in a message group of its own.

    Args:
        sqs_body: `provider`, `collection` and `granule` with its `files`, as ORCA's `copy_to_archive` sends
            them; datetimes become texts.
        metadata_queue_url: URL of the queue.
        client: a boto3 SQS client; by default one for the region in the URL, else in AWS_REGION.

    Raises:
        ValueError, TypeError: the daemon would reject the message.
        SendError: the response is not SQS's confirmation of this message.
        botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: as boto3 raises them.
    """
    send(_message(sqs_body), metadata_queue_url, client=client)


def post_all_to_metadata_queue(
    sqs_bodies: Iterable[Mapping[str, Any]], metadata_queue_url: str, *, client: Any = None
) -> list[Sent]:
    """`post_to_metadata_queue` for many objects, ten per request; returns a result for each of them.

    Raises:
        ValueError, TypeError: the daemon would reject one of them; then nothing is sent.
    """
    messages = [_message(body) for body in sqs_bodies]
    return list(send_batch(messages, metadata_queue_url, client=client))


def _message(document: Mapping[str, Any]) -> Outgoing:
    message = catalog.outgoing(document)
    catalog.decode(message.body)
    return message
