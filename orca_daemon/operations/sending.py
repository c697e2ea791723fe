"""Sending messages to a queue: its URL, a client for its region, and a check before the first send."""

from collections.abc import Iterable
from typing import Any

from orca_daemon.operations.errors import UnknownQueueError
from orca_daemon.settings import Settings, SettingsError
from orca_daemon.wire.outgoing import LARGEST_MESSAGE, Outgoing
from orca_daemon.wire.queue_url import normalised, region_of
from orca_daemon.wire.wire_model import MalformedError


def queue_url(settings: Settings, queue: str) -> str:
    """The URL of a queue that is named by its URL, or by its name in the settings.

    Raises:
        UnknownQueueError: the settings have no URL for this name.
    """
    if "://" in queue:
        return normalised(queue)
    section = settings.queues.get(queue)
    if section is None or not section.url:
        raise UnknownQueueError(queue, settings.bound)
    return normalised(section.url)


def sqs_client(settings: Settings, url: str) -> Any:
    """A boto3 SQS client for the region in the URL of a queue, else the region of the settings.

    Raises:
        SettingsError: boto3 cannot make a client from the settings and AWS's own variables and files.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, NoRegionError
    from botocore.session import Session

    from orca_daemon.aws.authorities import AuthoritiesError, check_authorities

    aws, session = settings.aws, Session()
    try:
        check_authorities(session)
        return boto3.session.Session(botocore_session=session).client(
            "sqs",
            region_name=region_of(url) or aws.region,
            endpoint_url=aws.sqs_endpoint_url or aws.endpoint_url,
        )
    except NoRegionError as error:
        from orca_daemon.aws.clients import NO_REGION

        raise SettingsError([NO_REGION]) from error
    except (AuthoritiesError, BotoCoreError, ValueError) as error:
        raise SettingsError([str(error)]) from error


def count_checked(messages: Iterable[Outgoing]) -> int:
    """The number of messages, all of which a queue accepts.

    Raises:
        MalformedError: a message is larger than SQS accepts, or cannot be made.
        UnicodeDecodeError, OSError: their file cannot be read.
    """
    count = 0
    for count, message in enumerate(messages, 1):
        if message.size > LARGEST_MESSAGE:
            raise MalformedError(
                f"message {count} has {message.size:,} bytes, and a queue takes {LARGEST_MESSAGE:,}: "
                "send fewer files in it, or shorter texts"
            )
    return count
