"""Makes moto's restores as S3's: they take time, are announced, and their copies expire.

1. A restore takes the time that was set, from the request; moto counts from when the object was made.
2. `ObjectRestore:Post` and `ObjectRestore:Completed` are sent when they happen, to the queue that the
   bucket's notifications name, on a server of ours; moto knows its own queues only, and completes a restore
   when it is asked for the object.
3. A restored copy expires at the midnight after its days, and the object is archived again; moto's stays.
4. Another request for a restored object changes its expiry, at once; moto starts over.
"""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import SimpleQueue
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from moto.core.utils import utcnow
from moto.moto_api import state_manager
from moto.s3 import models, notifications

from orca_daemon.local.moto import REGION

_IN_PROGRESS = "IN_PROGRESS"
_A_DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOptions:
    """How restores behave."""

    seconds: float = 0.0
    """Duration of a restore, of every tier."""
    day: float = _A_DAY
    """Seconds of a day of `Days`, so that a test can see a copy expire."""
    sqs: str = ""
    """URL of the server with the queues that notifications name; empty: nothing is announced."""

    def expiry(self, now: datetime, days: int) -> datetime:
        """When a copy that is asked for now expires (AWS: restoring an archived object)."""
        if self.day != _A_DAY:
            return now + timedelta(seconds=self.day * days)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + timedelta(days=days + 1)


def install(options: RestoreOptions) -> None:
    """Change moto's classes in this process."""
    progression = {"progression": "time", "seconds": options.seconds}
    state_manager.set_transition(
        "s3::keyrestore", progression if options.seconds else {"progression": "immediate"}
    )
    key: Any = models.FakeKey
    if not getattr(key, "corrected", False):
        key.corrected = True
        key.response_dict = property(_unexpired(key.response_dict.fget))
    key.restore = _restoring(options)
    announcing: Any = notifications
    announcing._send_sqs_message = _sending(options.sqs)  # noqa: SLF001  moto has no way to name a server


def _unexpired(response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def corrected(key: Any) -> Any:
        _expire(key)
        return response(key)

    return corrected


def _expire(key: Any) -> None:
    if key._expiry is not None and key._expiry <= utcnow():  # noqa: SLF001  moto has no other way
        key._expiry = None  # noqa: SLF001
        key._status = None  # noqa: SLF001


def _restoring(options: RestoreOptions) -> Callable[[Any, int], None]:
    def restore(key: Any, days: int) -> None:
        _expire(key)
        extends = key._expiry is not None and key.status != _IN_PROGRESS  # noqa: SLF001
        key._expiry = options.expiry(utcnow(), days)  # noqa: SLF001
        if extends:
            return
        key._status = _IN_PROGRESS  # noqa: SLF001
        key._time_progressed = datetime.now()  # noqa: SLF001, DTZ005  as moto compares it
        bucket = models.s3_backends[key.account_id][key.partition].get_bucket(key.bucket_name)
        notifications.send_event(
            key.account_id, notifications.S3NotificationEvent.OBJECT_RESTORE_POST_EVENT, bucket, key=key
        )
        _complete_after(options.seconds, key)

    return restore


def _complete_after(seconds: float, key: Any) -> None:
    """Let moto notice that the time is over: it sends the event when it does."""
    if not seconds:
        _ = key.status
        return
    timer = threading.Timer(seconds + 0.05, lambda: key.status)
    timer.daemon = True
    timer.start()


def _sending(url: str) -> Callable[[str, object, str, str], None]:
    events: SimpleQueue[tuple[object, str]] = SimpleQueue()
    if url:
        # S3 delivers events in its own time, so its answer does not wait for that.
        threading.Thread(target=_deliver, args=(url, events), daemon=True).start()

    def send(_account: str, event: object, queue: str, _region: str) -> None:
        if url:
            events.put((event, queue))

    return send


def _deliver(url: str, events: SimpleQueue[tuple[object, str]]) -> None:
    """Send the events for ever, one after the other; one that cannot be delivered is lost."""
    client = boto3.client("sqs", endpoint_url=url, region_name=REGION)
    while True:
        event, queue = events.get()
        with suppress(BotoCoreError, ClientError):
            address = client.get_queue_url(QueueName=queue)["QueueUrl"]
            client.send_message(QueueUrl=address, MessageBody=json.dumps(event))
