"""Third step: send bad messages; each must be dead-lettered with its reason."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from orca_daemon.aws.sqs_messages import EVIDENCE
from orca_daemon.local.demo.scene import Scene, Step
from orca_daemon.local.layout import DEAD_LETTER
from orca_daemon.producer import send
from orca_daemon.wire.outgoing import Outgoing
from orca_daemon.wire.status import ATTRIBUTE, GROUP

_PEEK_SECONDS = 30
"""Seconds that dead letters are hidden while they are read."""


@dataclass(frozen=True, slots=True)
class RejectedMessage:
    """A message on a dead-letter queue, and why it is there."""

    body: str
    reason: str


def make_mistakes(scene: Scene, lost_key: str) -> Step:
    """Send three bad messages and find them on the dead-letter queue.

    The event of the lost file must be on the dead-letter queue of `recovery`.
    """
    step = Step("Bad messages dead-lettered")
    mark = uuid4().hex
    for number, (method, body) in enumerate(_mistakes(mark).items()):
        message = Outgoing(
            body=body, group=GROUP, deduplication_id=f"{mark}{number}", attributes={ATTRIBUTE: method}
        )
        send(message, scene.queue("status_update"), client=scene.sqs)
    letters: list[RejectedMessage] = []

    def count() -> int:
        letters[:] = [letter for letter in dead_letters(scene, "status_update") if mark in letter.body]
        return len(letters)

    scene.wait("dead-lettering messages", len(_mistakes(mark)), count)
    step.check("bad messages dead-lettered", len(_mistakes(mark)), len(letters))
    step.check(
        "dead letters with a reason", len(_mistakes(mark)), sum(bool(letter.reason) for letter in letters)
    )
    name = lost_key.rpartition("/")[2]
    of_lost = [letter for letter in dead_letters(scene, "recovery") if name in letter.body]
    step.check("events of the lost file dead-lettered", 1, len(of_lost))
    step.facts = {f"reason {number}": letter.reason for number, letter in enumerate(letters + of_lost, 1)}
    return step


def _mistakes(mark: str) -> Mapping[str, str]:
    """`RequestMethod` to body; each body contains the mark, by which it is found."""
    stray = {
        "jobId": mark,
        "collectionId": "MOD09GQ___006",
        "granuleId": "nobody-asked-for-this",
        "filename": "stray.hdf",
        "lastUpdate": "2026-01-01T00:00:00+00:00",
        "statusId": 4,
        "completionTime": "2026-01-01T00:00:00+00:00",
    }
    return {
        "new_job": f'{{"jobId": "{mark}", "granuleId": "cut off in the mid',
        "delete_everything": json.dumps({"jobId": mark}),
        "update_file": json.dumps(stray),
    }


def dead_letters(scene: Scene, queue: str) -> list[RejectedMessage]:
    """The messages on the dead-letter queue of a queue; they stay there."""
    url = scene.queue(queue + DEAD_LETTER)
    letters, handles = [], []
    while messages := scene.sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=_PEEK_SECONDS,
        MessageAttributeNames=["All"],
    ).get("Messages"):
        for message in messages:
            attributes: Mapping[str, Any] = message.get("MessageAttributes", {})
            evidence = json.loads(attributes.get(EVIDENCE, {}).get("StringValue", "{}"))
            letters.append(RejectedMessage(message["Body"], evidence.get("reason") or ""))
            handles.append(message["ReceiptHandle"])
    for handle in handles:
        scene.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    return letters
