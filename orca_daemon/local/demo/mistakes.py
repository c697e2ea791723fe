"""Fourth step: a lost file and bad messages; each is reported with its reason."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from orca_daemon.aws.sqs_messages import EVIDENCE
from orca_daemon.local.demo.granules import ArchivedFile, DemoGranule
from orca_daemon.local.demo.recovery import count
from orca_daemon.local.demo.scene import Scene, Step
from orca_daemon.local.layout import DEAD_LETTER
from orca_daemon.producer import OrcaStatus, post_restore_request, send
from orca_daemon.wire.outgoing import Outgoing
from orca_daemon.wire.status import ATTRIBUTE, GROUP

_PEEK_SECONDS = 30
"""Seconds that dead letters are hidden while they are read."""


@dataclass(frozen=True, slots=True)
class RejectedMessage:
    """A message on a dead-letter queue, and why it is there."""

    body: str
    reason: str


def make_mistakes(scene: Scene, damaged: DemoGranule) -> Step:
    """Delete a file of a granule and request the granule; send bad messages, to be dead-lettered."""
    step = Step("Mistakes reported")
    lost, *others = damaged.files
    reason = _restore_damaged(scene, step, damaged, lost, len(others))
    mark = uuid4().hex
    for number, (method, body) in enumerate(_mistakes(mark).items()):
        message = Outgoing(
            body=body, group=GROUP, deduplication_id=f"{mark}{number}", attributes={ATTRIBUTE: method}
        )
        send(message, scene.queue("status_update"), client=scene.sqs)
    letters: list[RejectedMessage] = []

    def count_letters() -> int:
        letters[:] = [letter for letter in dead_letters(scene, "status_update") if mark in letter.body]
        return len(letters)

    scene.wait("dead-lettering messages", len(_mistakes(mark)), count_letters)
    step.check("bad messages dead-lettered", len(_mistakes(mark)), len(letters))
    step.check(
        "dead letters with a reason", len(_mistakes(mark)), sum(bool(letter.reason) for letter in letters)
    )
    reasons = {f"reason {number}": letter.reason for number, letter in enumerate(letters, 1)}
    step.facts = {"reason of the lost file": reason, **reasons}
    return step


def _restore_damaged(
    scene: Scene, step: Step, granule: DemoGranule, lost: ArchivedFile, others: int
) -> str | None:
    """Request the granule as a program does; returns why the lost file failed."""
    scene.s3.delete_object(Bucket=scene.bucket("archive"), Key=lost.key)
    keys = [{"key": file.key, "destBucket": scene.bucket(file.destination)} for file in granule.files]
    wanted = {"collectionId": granule.collection, "granuleId": granule.id, "keys": keys}
    job = post_restore_request([wanted], scene.queue("restore"), tier="Expedited", client=scene.sqs)
    scene.wait("recovering the rest", others + 1, lambda: sum(count(scene, job, "recovery_file").values()))
    expected = {OrcaStatus.SUCCESS: others, OrcaStatus.FAILED: 1}
    step.check("a lost file fails alone", expected, count(scene, job, "recovery_file"))
    rows = scene.rows(
        "SELECT filename, error_message FROM orca.recovery_file WHERE job_id = %(job)s AND status_id = 3",
        {"job": job},
    )
    step.check("the file that failed", [lost.name], [name for name, _ in rows])
    return rows[0][1] if rows else None


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
