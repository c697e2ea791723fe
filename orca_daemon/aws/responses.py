"""Whether a response proves to be AWS's answer to its request: what each operation has to return."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from orca_daemon.aws.sqs_messages import damage, md5_of_attributes, md5_of_body

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
"""Required fields of a response, by service and operation (AWS: API references)."""
_ITEMS: Mapping[str, Mapping[str, set[str]]] = {
    "s3.ListMultipartUploads": {"Uploads": {"Key", "UploadId", "Initiated"}},
    "s3.ListObjectsV2": {"Contents": {"Key"}, "CommonPrefixes": {"Prefix"}},
    "s3.ListParts": {"Parts": {"PartNumber"}},
}
"""Required fields of each item of a list."""
_NEXT_PAGE = {
    "s3.ListMultipartUploads": "NextKeyMarker",
    "s3.ListObjectsV2": "NextContinuationToken",
    "s3.ListParts": "NextPartNumberMarker",
}
"""The field that continues a truncated list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response with a status of success, and the request that it followed."""

    operation: str
    """Service and operation, such as `sqs.SendMessage`."""
    parameters: Mapping[str, Any]
    """The parameters of the request."""
    parsed: Mapping[str, Any]
    """The response as botocore parsed it."""
    status: int
    """HTTP status."""
    headers: Mapping[str, str]
    """By name in lower case."""
    body: Any
    """Bytes, or a stream of bytes."""


def flaw(response: Response) -> str | None:
    """Why this is not AWS's answer to the request; None if nothing speaks against it."""
    return _other_server(response) or _missing_field(response) or _other_request(response)


def _other_server(response: Response) -> str | None:  # noqa: PLR0911  a table
    service = response.operation.partition(".")[0]
    if service == "sqs":
        content_type = response.headers.get("content-type", "")
        if not content_type.startswith("application/x-amz-json-"):
            return f"its content type is {content_type[:60] or 'not given'}"
        if response.parsed.keys() <= {"ResponseMetadata"} and not _is_empty_object(response.body):
            return "it is not an object of SQS"
    # Step Functions answers a call about a task with an empty object.
    if service == "sfn" and not (
        response.headers.get("x-amzn-requestid") and _is_empty_object(response.body or b"{}")
    ):
        return "it is not an object of Step Functions with its x-amzn-RequestId"
    # S3 answers in headers that any web server may send: for a file, nginx sends an ETag and a length, too.
    if service == "s3" and not response.parsed.get("ResponseMetadata", {}).get("RequestId"):
        return "it has no x-amz-request-id"
    if response.operation == "s3.AbortMultipartUpload" and response.status != HTTPStatus.NO_CONTENT:
        return f"its status is {response.status}"
    if response.operation == "s3.RestoreObject" and response.status not in {
        HTTPStatus.OK,
        HTTPStatus.ACCEPTED,
    }:
        return f"its status is {response.status}"
    return None


def _is_empty_object(body: bytes) -> bool:
    # botocore parses a body that is not JSON as an object without members, and drops unknown members.
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and all(value is None for value in document.values())


def _missing_field(response: Response) -> str | None:
    for path in NEEDED.get(response.operation, ()):
        if _at(response.parsed, path) in (None, ""):  # a set would fail: the value may be unhashable
            return f"it has no {path}"
    for items, fields in _ITEMS.get(response.operation, {}).items():
        for item in response.parsed.get(items) or ():
            if missing := fields - item.keys():
                return f"one of its {items} has no {min(missing)}"
    token = _NEXT_PAGE.get(response.operation)
    if token and response.parsed.get("IsTruncated") and not response.parsed.get(token):
        return f"it is truncated and has no {token}"
    return None


def _at(parsed: Mapping[str, Any], path: str) -> Any:
    value: Any = parsed
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return "a list" if isinstance(value, list) else value  # an empty list is a value, too


def _other_request(response: Response) -> str | None:  # noqa: PLR0911  a table
    parameters, parsed = response.parameters, response.parsed
    match response.operation:
        case "sqs.ReceiveMessage":
            fifo = str(parameters.get("QueueUrl")).endswith(".fifo")
            return damage(parsed.get("Messages") or (), fifo=fifo)
        case "sqs.SendMessage" if parsed["MD5OfMessageBody"] != md5_of_body(parameters["MessageBody"]):
            return "it has the MD5 of another body"
        case "sqs.SendMessage" if not _confirms(parsed, parameters.get("MessageAttributes") or {}):
            return "it has the MD5 of other attributes"
        case "sqs.DeleteMessageBatch" | "sqs.ChangeMessageVisibilityBatch":
            return None if parsed.get("Successful") or parsed.get("Failed") else "it names no entry"
        case "sqs.GetQueueAttributes" if _name(parsed["Attributes"]["QueueArn"]) != _name(
            parameters["QueueUrl"]
        ):
            return "it describes another queue"
        case "sqs.GetQueueUrl" if _name(parsed["QueueUrl"]) != parameters["QueueName"]:
            return "it names another queue"
        case "s3.ListParts" if parsed["UploadId"] != parameters["UploadId"]:
            return "it lists another upload"
        case "secrets-manager.GetSecretValue" if not ({"SecretString", "SecretBinary"} & parsed.keys()):
            return "it has no value"
        case _:
            return None


def _confirms(parsed: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    """Whether the MD5 in the response, if there is one, is that of the attributes that were sent."""
    digest = parsed.get("MD5OfMessageAttributes")
    # SQS refuses empty values; servers that accept them do not agree on their digest.
    empty = any("" in attribute.values() for attribute in attributes.values())
    return not digest or empty or digest == md5_of_attributes(attributes)


def _name(url_or_arn: str) -> str:
    """The name of a queue, from its URL or ARN."""
    return url_or_arn.rstrip("/").replace(":", "/").rpartition("/")[2]
