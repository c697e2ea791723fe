"""The names of our spans and attributes, as OpenTelemetry's semantic conventions have them.

The conventions for messaging, SQS and the AWS SDK are still in development.  A test compares this table with
the version that it follows; a newer version is a change of this file, and of no other.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

VERSION: Final = "1.44.0"
"""Version of the conventions (docs/messaging, docs/cloud-providers/aws-sdk.md, docs/db)."""
SCHEMA: Final = f"https://opentelemetry.io/schemas/{VERSION}"

SYSTEM: Final = "messaging.system"
SQS: Final = "aws_sqs"
OPERATION: Final = "messaging.operation.name"
OPERATION_TYPE: Final = "messaging.operation.type"
DESTINATION: Final = "messaging.destination.name"
MESSAGE_ID: Final = "messaging.message.id"
BATCH: Final = "messaging.batch.message_count"
QUEUE_URL: Final = "aws.sqs.queue.url"
SERVER: Final = "server.address"
PORT: Final = "server.port"
ERROR: Final = "error.type"

RPC_SYSTEM: Final = "rpc.system.name"
AWS: Final = "aws-api"
RPC_METHOD: Final = "rpc.method"
REQUEST_ID: Final = "aws.request_id"
S3_PARAMETERS: Final[Mapping[str, str]] = {
    "Bucket": "aws.s3.bucket",
    "Key": "aws.s3.key",
    "PartNumber": "aws.s3.part_number",
}
"""Parameter of an operation of S3 to attribute."""

DB_SYSTEM: Final = "db.system.name"
POSTGRESQL: Final = "postgresql"
DB_OPERATION: Final = "db.operation.name"
FUNCTION: Final = "code.function.name"

OUTCOME: Final = "orca_daemon.outcome"
"""Ours: how the attempt ended, as the log has it (`done`, `failed`, `rejected`, `expired`, …)."""
LEFT_OUT: Final = "orca_daemon.spans_left_out"
"""Ours: calls of a run that have no span, because it has too many."""
FACT: Final = "orca."
"""Ours: the beginning of the attributes that are facts of the messages: `orca.job_id`, `orca.granule_id`."""
STAGE: Final = "reconcile "
"""Ours: the beginning of the names of spans of the process that compares."""


class Messaging(NamedTuple):
    """An operation on messages: its name, which begins the span's name, and its type."""

    name: str
    type: str


PROCESS: Final = Messaging("process", "process")
SEND: Final = "sqs:SendMessage"
OPERATIONS: Final[Mapping[str, Messaging]] = {
    SEND: Messaging("send", "send"),
    "sqs:DeleteMessageBatch": Messaging("delete", "settle"),
    "sqs:ChangeMessageVisibilityBatch": Messaging("change_visibility", "settle"),
}
"""Calls of SQS that are operations on messages; other calls are spans of the AWS SDK."""
SERVICES: Final[Mapping[str, str]] = {
    "sqs": "SQS",
    "s3": "S3",
    "secretsmanager": "Secrets Manager",
    "ssm": "SSM",
    "sts": "STS",
    "stepfunctions": "SFN",
}
"""Service as botocore names it to its service id in AWS's API, which begins the span's name."""


def messaging(operation: Messaging, url: str) -> dict[str, str | int]:
    """The attributes of a span for an operation on messages of the queue with this URL."""
    host, _, port = url.partition("://")[2].partition("/")[0].partition(":")
    return {
        SYSTEM: SQS,
        OPERATION: operation.name,
        OPERATION_TYPE: operation.type,
        DESTINATION: url.rpartition("/")[2],
        QUEUE_URL: url,
        SERVER: host,
        **({PORT: int(port)} if port.isdecimal() else {}),
    }


def sdk(operation: str) -> tuple[str, dict[str, str | int]]:
    """Name and attributes of a span for any other call, which is given as `service:Operation`."""
    service, _, method = operation.partition(":")
    name = SERVICES.get(service, service)
    return f"{name}.{method}", {RPC_SYSTEM: AWS, RPC_METHOD: f"{name}/{method}"}
