"""Third step: messages that nobody can handle, among good ones; each is set aside with its reason."""

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
"""How long dead letters are hidden while they are looked at."""


@dataclass(frozen=True, slots=True)
class RejectedMessage:
    """A message on a dead-letter queue, and why it is there."""

    body: str
    reason: str


def make_mistakes(scene: Scene, lost_key: str) -> Step:
    """Send three bad messages, and find them on the dead-letter queue; the lost file's is on another."""
    step = Step("Bad messages set aside")
    mark = uuid4().hex
    for number, (method, body) in enumerate(_mistakes(mark).items()):
        message = Outgoing(
            body=body, group=GROUP, deduplication_id=f"{mark}{number}", attributes={ATTRIBUTE: method}
        )
        send(message, scene.queue("status_update"), client=scene.sqs)
    found: list[RejectedMessage] = []

    def count() -> int:
        found[:] = [letter for letter in dead_letters(scene, "status_update") if mark in letter.body]
        return len(found)

    scene.wait("setting bad messages aside", len(_mistakes(mark)), count)
    step.check("bad messages set aside", len(_mistakes(mark)), len(found))
    step.check("of them with a reason", len(_mistakes(mark)), sum(bool(letter.reason) for letter in found))
    name = lost_key.rpartition("/")[2]
    of_lost = [letter for letter in dead_letters(scene, "recovery") if name in letter.body]
    step.check("events of the lost file set aside", 1, len(of_lost))
    step.facts = {f"reason {number}": letter.reason for number, letter in enumerate(found + of_lost, 1)}
    return step


def _mistakes(mark: str) -> Mapping[str, str]:
    """`RequestMethod` to body; each body has the mark in it, to be found by."""
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
    """What lies on the dead-letter queue of a queue; everything stays there."""
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
