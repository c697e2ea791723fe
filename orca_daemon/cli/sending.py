"""Sends from the command line: all messages are checked first, and the result of each is printed."""

import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import typer

from orca_daemon.cli.exits import FAILED, USAGE, errors_exit, fail
from orca_daemon.cli.output import counted, note, print_json, printable
from orca_daemon.operations.errors import UnknownQueueError
from orca_daemon.settings import STANDARD_QUEUES, Settings
from orca_daemon.wire.outgoing import Outgoing
from orca_daemon.wire.wire_model import MalformedError

if TYPE_CHECKING:
    from orca_daemon.producer.batch import Sent

_MOST_FAILURES = 20
"""Failures that are printed one by one."""


def queue_url_or_exit(settings: Settings, queue: str) -> str:
    """The URL of a queue that is named by its URL, or by its name in the settings; else exit 2."""
    from orca_daemon.operations.sending import queue_url

    try:
        return queue_url(settings, queue)
    except UnknownQueueError as error:
        fail(f"{error}; or pass its URL", USAGE)


def send_all(
    messages: Callable[[], Iterator[Outgoing]],
    settings: Settings,
    queue: str,
    *,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Send the messages and print the result; exits 1 if SQS did not accept one of them.

    `messages` is called twice: to check all of them, and to send them.
    """
    from orca_daemon.operations.sending import sqs_client
    from orca_daemon.producer.batch import send_batch

    if dry_run and queue not in {*settings.queues, *STANDARD_QUEUES}:
        queue_url_or_exit(settings, queue)  # a known queue needs no URL here
    total = _count_or_exit(messages())
    if dry_run:
        for message in messages():
            # Without a terminal a body is printed as it is, so that it can be sent by other means.
            body = printable(message.body) if sys.stdout.isatty() else message.body
            typer.echo(json.dumps(message.parameters()) if as_json else body)
        return
    url = queue_url_or_exit(settings, queue)
    with errors_exit():
        client = sqs_client(settings, url)
    sent = send_batch(messages(), url, client=client)
    failed = _print_json_result(sent, url) if as_json else _print_result(sent, url, total)
    if failed:
        raise typer.Exit(FAILED)


def _count_or_exit(messages: Iterator[Outgoing]) -> int:
    """The number of messages; exits 2 at the first that is malformed or too large."""
    from orca_daemon.operations.sending import count_checked

    try:
        return count_checked(messages)
    except UnicodeDecodeError:
        fail("nothing sent: the input is not text in UTF-8", USAGE)
    except (MalformedError, OSError) as error:
        fail(f"nothing sent: {error}", USAGE)


def _print_json_result(sent: "Iterator[Sent]", url: str) -> int:
    """Print all results; return the number of messages that were not sent."""
    results = list(sent)
    failed = sum(result.message_id is None for result in results)
    messages = [
        {"index": result.index, "message_id": result.message_id, "error": result.error} for result in results
    ]
    print_json("send", {"queue": url, "sent": len(results) - failed, "failed": failed, "messages": messages})
    return failed


def _print_result(sent: "Iterator[Sent]", url: str, total: int) -> int:
    """Print a summary and the failures; return the number of messages that were not sent."""
    failures: list[Sent] = []
    last: Sent | None = None
    for result in counted(sent, "sending", total):
        last = result
        if result.message_id is None:
            failures.append(result)
    name = url.rpartition("/")[2]
    if total == 1 and last and last.message_id:
        typer.echo(f"sent to {name}: message {last.message_id}")
    else:
        typer.echo(f"sent {total - len(failures)} of {total} to {name}")
    for failure in failures[:_MOST_FAILURES]:
        note(f"  message {failure.index + 1}: {failure.error}")
    if len(failures) > _MOST_FAILURES:
        note(f"  and {len(failures) - _MOST_FAILURES} more")
    return len(failures)
