"""Whether an answer of AWS answers its request: what each operation's has to hold, as pure decisions."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from orca_daemon.aws.received import md5_of_attributes, md5_of_body, not_whole

NEEDED: Mapping[str, tuple[str, ...]] = {
    "sqs.GetQueueAttributes": ("Attributes.QueueArn",),
    "sqs.GetQueueUrl": ("QueueUrl",),
    "sqs.SendMessage": ("MessageId", "MD5OfMessageBody"),
    "s3.CompleteMultipartUpload": ("ETag",),
    "s3.CopyObject": ("CopyObjectResult.ETag",),
    "s3.CreateMultipartUpload": ("UploadId",),
    "s3.GetObject": ("ETag",),
    "s3.GetObjectTagging": ("TagSet",),
    "s3.HeadObject": ("ETag", "ContentLength"),
    "s3.ListMultipartUploads": ("Bucket",),
    "s3.ListObjectsV2": ("Name",),
    "s3.ListParts": ("UploadId",),
    "s3.PutObject": ("ETag",),
    "s3.UploadPart": ("ETag",),
    "s3.UploadPartCopy": ("CopyPartResult.ETag",),
    "secrets-manager.GetSecretValue": ("Name",),
    "ssm.GetParameter": ("Parameter.Value",),
    "sts.GetCallerIdentity": ("Arn",),
}
"""Fields without which an answer says nothing, by service and operation (AWS: API references)."""
_ITEMS: Mapping[str, Mapping[str, set[str]]] = {
    "s3.ListMultipartUploads": {"Uploads": {"Key", "UploadId", "Initiated"}},
    "s3.ListObjectsV2": {"Contents": {"Key"}, "CommonPrefixes": {"Prefix"}},
    "s3.ListParts": {"Parts": {"PartNumber"}},
}
"""Fields of each item of a list."""
_NEXT_PAGE = {
    "s3.ListMultipartUploads": "NextKeyMarker",
    "s3.ListObjectsV2": "NextContinuationToken",
    "s3.ListParts": "NextPartNumberMarker",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came under a status of success."""

    to: str
    """Service and operation, such as `sqs.SendMessage`."""
    asked: Mapping[str, Any]
    """The parameters of the request."""
    parsed: Mapping[str, Any]
    """As botocore read it."""
    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: Any
    """Bytes, or a stream of them."""


def flaw(answer: Answer) -> str | None:
    """What keeps it from being an answer of AWS to its request; None where nothing does."""
    return _of_another_server(answer) or _incomplete(answer) or _to_another_request(answer)


def _of_another_server(answer: Answer) -> str | None:
    service = answer.to.partition(".")[0]
    if service == "sqs":
        kind = answer.headers.get("content-type", "")
        if not kind.startswith("application/x-amz-json-"):
            return f"its content type is {kind[:60] or 'not given'}"
        if answer.parsed.keys() <= {"ResponseMetadata"} and not _is_empty_object(answer.body):
            return "it is not an object of SQS"
    # S3 answers in headers that any web server may send: an ETag and a length are a file of nginx, too.
    if service == "s3" and not answer.parsed.get("ResponseMetadata", {}).get("RequestId"):
        return "it has no x-amz-request-id"
    if answer.to == "s3.AbortMultipartUpload" and answer.status != HTTPStatus.NO_CONTENT:
        return f"its status is {answer.status}"
    return None


def _is_empty_object(body: bytes) -> bool:
    # botocore reads what is not JSON as an object without members, and drops members that it does not know.
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and all(value is None for value in found.values())


def _incomplete(answer: Answer) -> str | None:
    for path in NEEDED.get(answer.to, ()):
        if _at(answer.parsed, path) in (None, ""):  # it may be unhashable
            return f"it has no {path}"
    for items, fields in _ITEMS.get(answer.to, {}).items():
        for item in answer.parsed.get(items) or ():
            if missing := fields - item.keys():
                return f"one of its {items} has no {min(missing)}"
    token = _NEXT_PAGE.get(answer.to)
    if token and answer.parsed.get("IsTruncated") and not answer.parsed.get(token):
        return f"it is cut and has no {token}"
    return None


def _at(parsed: Mapping[str, Any], path: str) -> Any:
    value: Any = parsed
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return "a list" if isinstance(value, list) else value


def _to_another_request(answer: Answer) -> str | None:  # noqa: PLR0911  a table
    asked, parsed = answer.asked, answer.parsed
    match answer.to:
        case "sqs.ReceiveMessage":
            return not_whole(parsed.get("Messages") or (), fifo=str(asked.get("QueueUrl")).endswith(".fifo"))
        case "sqs.SendMessage" if parsed["MD5OfMessageBody"] != md5_of_body(asked["MessageBody"]):
            return "it has the MD5 of another body"
        case "sqs.SendMessage" if not _names_these(parsed, asked.get("MessageAttributes") or {}):
            return "it has the MD5 of other attributes"
        case "sqs.DeleteMessageBatch" | "sqs.ChangeMessageVisibilityBatch":
            return None if parsed.get("Successful") or parsed.get("Failed") else "it names no entry"
        case "sqs.GetQueueAttributes" if _last(parsed["Attributes"]["QueueArn"]) != _last(asked["QueueUrl"]):
            return "it describes another queue"
        case "sqs.GetQueueUrl" if _last(parsed["QueueUrl"]) != asked["QueueName"]:
            return "it names another queue"
        case "s3.ListParts" if parsed["UploadId"] != asked["UploadId"]:
            return "it lists another upload"
        case "secrets-manager.GetSecretValue" if not ({"SecretString", "SecretBinary"} & parsed.keys()):
            return "it has no value"
        case _:
            return None


def _names_these(receipt: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
    said = receipt.get("MD5OfMessageAttributes")
    # SQS refuses empty values; servers that take them do not agree on their digest.
    empty = any("" in attribute.values() for attribute in sent.values())
    return not said or empty or said == md5_of_attributes(sent)


def _last(place: str) -> str:
    """The name of a queue, at the end of its URL or ARN."""
    return place.rstrip("/").replace(":", "/").rpartition("/")[2]
