"""Sends from the command line: finds the queue, shows progress, and reports the result of every message."""

import json
from collections.abc import Callable, Iterator
from itertools import starmap
from typing import Any

import typer

from orca_daemon.cli.progress import watched
from orca_daemon.cli.settings import WRONG_SETTINGS
from orca_daemon.producer.batch import Sent, send_batch
from orca_daemon.settings import Settings
from orca_daemon.wire.outgoing import LARGEST_MESSAGE, Outgoing
from orca_daemon.wire.queue_url import normalised, region_of
from orca_daemon.wire.wire_model import MalformedError

_SHOWN = 20
"""Failures that are listed one by one."""


def queue_url(settings: Settings, queue: str) -> str:
    """The URL of a queue named by URL or by its name in the settings; exits 2 when it is not known."""
    if "://" in queue:
        return normalised(queue)
    known = settings.queues.get(queue)
    if known is None or not known.url:
        typer.echo(f"orca-daemon: no queue {queue!r} in the settings; name its URL with --queue", err=True)
        raise typer.Exit(2)
    return normalised(known.url)


def sqs_client(settings: Settings, url: str) -> Any:
    """A boto3 SQS client for the region of a queue, or of the settings; exits 78 when none can be made."""
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
    except NoRegionError:
        from orca_daemon.aws.clients import NO_REGION

        text = NO_REGION
    except (AuthoritiesError, BotoCoreError, ValueError) as error:
        text = str(error)
    typer.echo(f"orca-daemon: {text}", err=True)
    raise typer.Exit(WRONG_SETTINGS)


def deliver(
    messages: Callable[[], Iterator[Outgoing]],
    settings: Settings,
    queue: str,
    *,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Send the messages and report how it went; exits 1 when one of them was not taken.

    `messages` is called twice: to look at all of them, and to send them.
    """
    total = _counted(messages())
    if dry_run:
        for message in messages():
            typer.echo(json.dumps(message.parameters()) if as_json else message.body)
        return
    url = queue_url(settings, queue)
    sent = send_batch(messages(), url, client=sqs_client(settings, url))
    failed = _print_json(sent, url) if as_json else _print_result(sent, url, total)
    if failed:
        raise typer.Exit(1)


def _counted(messages: Iterator[Outgoing]) -> int:
    """How many there are; exits 2 at the first that is malformed or too large, before anything is sent."""
    try:
        return sum(1 for _ in starmap(_checked, enumerate(messages, 1)))
    except UnicodeDecodeError:
        problem = "what is read is not text in UTF-8"
    except (MalformedError, OSError) as error:
        problem = str(error)
    typer.echo(f"orca-daemon: nothing sent: {problem}", err=True)
    raise typer.Exit(2)


def _checked(number: int, message: Outgoing) -> None:
    if message.size > LARGEST_MESSAGE:
        raise MalformedError(
            f"message {number} has {message.size:,} bytes, and a queue takes {LARGEST_MESSAGE:,}: "
            "send fewer files in it, or shorter texts"
        )


def _print_json(sent: Iterator[Sent], url: str) -> int:
    results = list(sent)
    failed = sum(result.message_id is None for result in results)
    messages = [
        {"index": result.index, "message_id": result.message_id, "error": result.error} for result in results
    ]
    typer.echo(
        json.dumps(
            {"queue": url, "sent": len(results) - failed, "failed": failed, "messages": messages}, indent=2
        )
    )
    return failed


def _print_result(sent: Iterator[Sent], url: str, total: int) -> int:
    failures: list[Sent] = []
    last: Sent | None = None
    for result in watched(sent, "sending", total):
        last = result
        if result.message_id is None:
            failures.append(result)
    name = url.rpartition("/")[2]
    if total == 1 and last and last.message_id:
        typer.echo(f"sent to {name}: message {last.message_id}")
    else:
        typer.echo(f"sent {total - len(failures)} of {total} to {name}")
    for failure in failures[:_SHOWN]:
        typer.echo(f"  message {failure.index + 1}: {failure.error}", err=True)
    if len(failures) > _SHOWN:
        typer.echo(f"  and {len(failures) - _SHOWN} more", err=True)
    return len(failures)
