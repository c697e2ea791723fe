"""Restoring by hand: the files of granules from the catalog, a plan, and requests to the restore queue."""

import asyncio
from collections.abc import Iterator, Sequence

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.clients import connect
from orca_daemon.aws.errors import reason_of
from orca_daemon.aws.s3copy.requests import Requests
from orca_daemon.aws.s3copy.window import Window
from orca_daemon.db.archived import WantedGranule, find_granules
from orca_daemon.engine.backoff import Backoff
from orca_daemon.operations import restore_choice, restore_plan
from orca_daemon.operations.collections import near_collections, question
from orca_daemon.operations.database import database
from orca_daemon.operations.destinations import Destinations, sentence, sentences
from orca_daemon.operations.restore_plan import RefusedRestoreError, RestoreOptions, RestorePlan
from orca_daemon.operations.sending import sqs_client
from orca_daemon.producer.batch import Sent, send_batch
from orca_daemon.producer.queue import checked_call
from orca_daemon.queues.restore.rules import RestoreRules
from orca_daemon.settings import Settings, SettingsError
from orca_daemon.wire.outgoing import LARGEST_MESSAGE, Outgoing
from orca_daemon.wire.queue_url import is_fifo
from orca_daemon.wire.restore import RestoreRequest


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
        try:
            return restore_choice.plan(wanted, found, options)
        except RefusedRestoreError as error:
            named = dict.fromkeys(one.collection_id for one in wanted if one.collection_id)
            proposals = [question(name, await near_collections(opened, name)) for name in list(named)[:1]]
            raise RefusedRestoreError(*error.reasons, *filter(None, proposals)) from None


def check_plan(settings: Settings, plan: RestorePlan, job_id: str) -> list[RestoreRequest]:
    """The requests of a plan that the settings allow.  Raises `RefusedRestoreError`."""
    return restore_plan.check(plan, RestoreRules.of(settings), job_id)


async def missing_destinations(settings: Settings, plan: RestorePlan) -> tuple[list[str], list[str]]:
    """The sentences for buckets of the plan that do not exist, and for those of which S3 does not tell.

    S3 is asked once for each bucket; without AWS nothing is known of them.
    """
    buckets = sorted({share.destination for share in plan.shares})
    if not buckets:
        return [], []
    try:
        async with connect(settings) as clients:
            requests = Requests(clients.s3, window=Window.up_to(len(buckets)), tries=1, backoff=Backoff())
            asked = Destinations(requests)
            answers = await asyncio.gather(*map(asked.is_missing, buckets))
    except SettingsError as error:  # the plan needs the database alone
        return [], sentences(dict.fromkeys(buckets, str(error)))
    except CALL_ERRORS as error:
        return [], sentences(dict.fromkeys(buckets, reason_of(error)))
    missing = [bucket for bucket, gone in zip(buckets, answers, strict=True) if gone]
    return [sentence(bucket) for bucket in missing], sentences(asked.unknown)


def messages(settings: Settings, requests: Sequence[RestoreRequest], queue_url: str) -> list[Outgoing]:
    """The requests as messages that fit this queue.

    Raises:
        RefusedRestoreError: one file alone does not fit.
        SettingsError: AWS is not set up.
        botocore.exceptions.BotoCoreError, ClientError, SendError: the queue cannot be read.
    """
    client = sqs_client(settings, queue_url)
    answer = checked_call(
        client.get_queue_attributes, QueueUrl=queue_url, AttributeNames=["MaximumMessageSize"]
    )
    largest = int(answer.get("Attributes", {}).get("MaximumMessageSize", LARGEST_MESSAGE))
    return restore_plan.messages(requests, largest, fifo=is_fifo(queue_url))


def post(settings: Settings, posted: Sequence[Outgoing], queue_url: str) -> Iterator[Sent]:
    """Post messages, lazily and in order; yields the result of each.

    Raises:
        SettingsError: AWS is not set up.
    """
    client = sqs_client(settings, queue_url)
    limit = max((message.size for message in posted), default=LARGEST_MESSAGE)
    return send_batch(posted, queue_url, client=client, limit=max(limit, LARGEST_MESSAGE))
