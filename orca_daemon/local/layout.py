"""The queues and buckets of the embedded deployment, as ORCA's own deployment makes them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from orca_daemon.aws.errors import code_of
from orca_daemon.local.moto import REGION

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

PREFIX = "local"
DEAD_LETTER = "_dead_letter"
"""Suffix of the names of dead-letter queues in `stack.json`."""
_DAY = 86_400
_DEAD_LETTERS_KEPT: Final = 14 * _DAY
"""The most that SQS allows, as the daemon advises; ORCA's own deployment keeps them as long as messages."""
_MAX_RECEIVES: Final = 5
"""ORCA's own deployment has 3, of which the daemon warns: a restart may cost a receive."""


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """One queue and its dead-letter queue (contract 1.1 and, for `catalog`, 10; seconds)."""

    name: str
    dead_letter: str
    visibility: int
    retention: int

    @property
    def fifo(self) -> bool:
        """Whether it is a FIFO queue."""
        return self.name.endswith(".fifo")


QUEUES: dict[str, QueueSpec] = {
    "status_update": QueueSpec(
        f"{PREFIX}-orca-status-update-queue.fifo",
        f"{PREFIX}-orca-status_update-deadletter-queue.fifo",
        900,
        9 * _DAY,
    ),
    "recovery": QueueSpec(
        f"{PREFIX}-orca-staged-recovery-queue",
        f"{PREFIX}-orca-staged-recovery-deadletter-queue",
        1800,
        5 * _DAY,
    ),
    "internal_report": QueueSpec(
        f"{PREFIX}-orca-internal-report-queue.fifo",
        f"{PREFIX}-orca-internal-report-deadletter-queue.fifo",
        4320,
        5 * _DAY,
    ),
    "catalog": QueueSpec(
        f"{PREFIX}-orca-metadata-queue.fifo",
        f"{PREFIX}-orca-metadata-deadletter-queue.fifo",
        900,
        9 * _DAY,
    ),
    "restore": QueueSpec(
        f"{PREFIX}-orca-restore-queue",
        f"{PREFIX}-orca-restore-deadletter-queue",
        1800,
        5 * _DAY,
    ),
}
"""By their names in the settings."""

BUCKETS: Mapping[str, str] = {
    "archive": f"{PREFIX}-orca-archive",
    "protected": f"{PREFIX}-protected",
    "public": f"{PREFIX}-public",
    "reports": f"{PREFIX}-orca-reports",
    "export": f"{PREFIX}-orca-export",
}
"""By role."""


def more_queue(name: str, *, fifo: bool) -> QueueSpec:
    """A queue that ORCA does not have, by its name in the settings."""
    base, kind = f"{PREFIX}-{name.replace('_', '-')}", ".fifo" if fifo else ""
    return QueueSpec(f"{base}-queue{kind}", f"{base}-deadletter-queue{kind}", 900, 5 * _DAY)


def make_queues(sqs: "SQSClient", more: dict[str, QueueSpec]) -> dict[str, str]:
    """Create the missing queues, ORCA's and others.  Returns URLs by name, including dead-letter queues."""
    urls: dict[str, str] = {}
    for name, spec in (QUEUES | more).items():
        urls[name], urls[name + DEAD_LETTER] = make_queue(sqs, spec, _DEAD_LETTERS_KEPT)
    return urls


def make_queue(sqs: "SQSClient", spec: QueueSpec, dead_letters_kept: int | None = None) -> tuple[str, str]:
    """Create one queue and its dead-letter queue, if they are missing.  Returns both URLs.

    Dead letters are kept for as many seconds, by default for as many as messages.
    """
    kind: dict[Any, str] = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if spec.fifo else {}
    dead_letter = sqs.create_queue(QueueName=spec.dead_letter, Attributes=kind)["QueueUrl"]
    kept = dead_letters_kept or spec.retention
    sqs.set_queue_attributes(QueueUrl=dead_letter, Attributes={"MessageRetentionPeriod": str(kept)})
    arn = sqs.get_queue_attributes(QueueUrl=dead_letter, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    redrive = {"deadLetterTargetArn": arn, "maxReceiveCount": _MAX_RECEIVES}
    url = sqs.create_queue(QueueName=spec.name, Attributes=kind)["QueueUrl"]
    # Set apart, because SQS refuses to create a queue that exists with other values: of an earlier version.
    sqs.set_queue_attributes(
        QueueUrl=url,
        Attributes={
            "VisibilityTimeout": str(spec.visibility),
            "MessageRetentionPeriod": str(spec.retention),
            "MaximumMessageSize": "262144",
            "RedrivePolicy": json.dumps(redrive),
        },
    )
    return url, dead_letter


def make_buckets(s3: "S3Client") -> None:
    """Create the missing buckets; the archive is versioned, as ORCA's is."""
    for name in BUCKETS.values():
        try:
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        except ClientError as error:
            if code_of(error) != "BucketAlreadyOwnedByYou":
                raise
    s3.put_bucket_versioning(Bucket=BUCKETS["archive"], VersioningConfiguration={"Status": "Enabled"})


def announce_restores(
    s3: "S3Client", sqs: "SQSClient", recovery_url: str, archive: str = BUCKETS["archive"]
) -> None:
    """Have the archive's restore events sent to the recovery queue, as ORCA's deployment does."""
    attributes = sqs.get_queue_attributes(QueueUrl=recovery_url, AttributeNames=["QueueArn"])["Attributes"]
    s3.put_bucket_notification_configuration(
        Bucket=archive,
        NotificationConfiguration={
            "QueueConfigurations": [
                {
                    "Id": "orca-daemon-restores",
                    "QueueArn": attributes["QueueArn"],
                    "Events": ["s3:ObjectRestore:*"],
                }
            ]
        },
    )
