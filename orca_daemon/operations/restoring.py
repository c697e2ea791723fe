"""Restoring by hand: the files of granules from the catalog, a plan, and requests to the restore queue."""

from collections.abc import Iterator, Sequence

from orca_daemon.db.archived import WantedGranule, find_granules
from orca_daemon.operations import restore_choice, restore_plan
from orca_daemon.operations.database import database
from orca_daemon.operations.restore_plan import RestoreOptions, RestorePlan
from orca_daemon.operations.sending import sqs_client
from orca_daemon.producer.batch import Sent, send_batch
from orca_daemon.producer.queue import checked_call
from orca_daemon.queues.restore.rules import RestoreRules
from orca_daemon.settings import Settings
from orca_daemon.wire.outgoing import LARGEST_MESSAGE, Outgoing
from orca_daemon.wire.restore import RestoreRequest

FIFO = ".fifo"


async def plan_restore(
    settings: Settings, wanted: Sequence[WantedGranule], options: RestoreOptions
) -> RestorePlan:
    """Look the granules up in the catalog, and plan their restore.

    Raises:
        RefusedRestoreError: a granule is unknown or in several collections, or a file cannot be asked for.
        AddressError, DependencyDown, PostgresError: the database cannot be read.
    """
    async with database(settings) as opened:
        # Without an index on the granules of files, this reads the whole catalog, however long that takes.
        found = await opened.stream(find_granules, wanted)
    return restore_choice.plan(wanted, found, options)


def check_plan(settings: Settings, plan: RestorePlan, job_id: str) -> list[RestoreRequest]:
    """The requests of a plan that the settings allow.  Raises `RefusedRestoreError`."""
    return restore_plan.check(plan, RestoreRules.of(settings), job_id)


def messages(settings: Settings, requests: Sequence[RestoreRequest], queue_url: str) -> list[Outgoing]:
    """The requests as messages that fit this queue.

    Raises:
        RefusedRestoreError: one granule alone does not fit.
        SettingsError: AWS is not set up.
        botocore.exceptions.BotoCoreError, ClientError, SendError: the queue cannot be read.
    """
    client = sqs_client(settings, queue_url)
    answer = checked_call(
        client.get_queue_attributes, QueueUrl=queue_url, AttributeNames=["MaximumMessageSize"]
    )
    largest = int(answer.get("Attributes", {}).get("MaximumMessageSize", LARGEST_MESSAGE))
    return restore_plan.messages(requests, largest, fifo=queue_url.endswith(FIFO))


def post(settings: Settings, posted: Sequence[Outgoing], queue_url: str) -> Iterator[Sent]:
    """Post messages, lazily and in order; yields the result of each.

    Raises:
        SettingsError: AWS is not set up.
    """
    client = sqs_client(settings, queue_url)
    limit = max((message.size for message in posted), default=LARGEST_MESSAGE)
    return send_batch(posted, queue_url, client=client, limit=max(limit, LARGEST_MESSAGE))
