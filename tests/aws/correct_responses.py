"""Correct responses of AWS to each call that the daemon makes, with the fields that the daemon needs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import md5
from typing import Any

from orca_daemon.aws import direct_calls, direct_s3

URL = "http://127.0.0.1:9/123456789012/q.fifo"
ARN = "arn:aws:sqs:us-west-2:123456789012:q.fifo"
BODY = "héllo"
DIGEST = md5(BODY.encode(), usedforsecurity=False).hexdigest()
MESSAGE: Mapping[str, Any] = {
    "MessageId": "m-1",
    "ReceiptHandle": "r-1",
    "Body": BODY,
    "MD5OfBody": DIGEST,
    "Attributes": {
        "ApproximateReceiveCount": "1",
        "MessageGroupId": "g",
        "SentTimestamp": "1795910695993",
        "SequenceNumber": "1" * 20,
    },
}
PLACE = {"Bucket": "bucket", "Key": "k"}
SOURCE = {"CopySource": {"Bucket": "bucket", "Key": "s"}}


@dataclass(frozen=True, slots=True)
class Call:
    """One call and its response."""

    service: str
    method: str
    parameters: Mapping[str, Any]
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    direct: bool = False
    """Past aiobotocore's layers (`aws/direct_calls.py`, `aws/direct_s3.py`)."""

    @property
    def client(self) -> str:
        return self.service + "-direct" * self.direct

    @property
    def id(self) -> str:
        return f"{self.client}.{self.method}"


def _json(service: str, method: str, parameters: Mapping[str, Any], response: object) -> Call:
    version = "1.0" if service == "sqs" else "1.1"
    headers = {"Content-Type": f"application/x-amz-json-{version}"}
    return Call(service, method, parameters, json.dumps(response).encode(), headers)


def _s3(method: str, parameters: Mapping[str, Any], xml: str = "", status: int = 200, **headers: str) -> Call:
    named = {"Content-Type": "application/xml", "x-amz-request-id": "1"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Call(
        "s3", method, parameters, f"<?xml version='1.0'?>{xml}".encode() if xml else b"", named, status
    )


def _states(method: str, **parameters: str) -> Call:
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "1"}
    return Call("stepfunctions", method, {"taskToken": "t", **parameters}, b"{}", headers)


_DELETE = {"Id": "0", "ReceiptHandle": "r"}
_HIDE = {**_DELETE, "VisibilityTimeout": 1}
_UPLOAD = {**PLACE, "UploadId": "u"}
_PART = {**_UPLOAD, "PartNumber": 1}
_QUEUE = {"QueueUrl": URL}
_BUCKET = {"Bucket": "bucket"}
_NAMED = "<R><Bucket>bucket</Bucket><Key>k</Key>"
_THROUGH_AIOBOTOCORE = (
    _json("sqs", "receive_message", _QUEUE, {"Messages": [MESSAGE]}),
    _json(
        "sqs", "send_message", {**_QUEUE, "MessageBody": BODY}, {"MessageId": "m", "MD5OfMessageBody": DIGEST}
    ),
    _json("sqs", "delete_message_batch", {**_QUEUE, "Entries": [_DELETE]}, {"Successful": [{"Id": "0"}]}),
    _json(
        "sqs", "change_message_visibility_batch", {**_QUEUE, "Entries": [_HIDE]}, {"Failed": [{"Id": "0"}]}
    ),
    _json(
        "sqs",
        "get_queue_attributes",
        {**_QUEUE, "AttributeNames": ["All"]},
        {"Attributes": {"QueueArn": ARN}},
    ),
    _json("sqs", "get_queue_url", {"QueueName": "q.fifo"}, {"QueueUrl": URL}),
    _json("secretsmanager", "get_secret_value", {"SecretId": "s"}, {"Name": "s", "SecretString": "{}"}),
    _json("ssm", "get_parameter", {"Name": "p"}, {"Parameter": {"Name": "p", "Value": "v"}}),
    Call(
        "sts",
        "get_caller_identity",
        {},
        b"<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:user/u</Arn>"
        b"</GetCallerIdentityResult></GetCallerIdentityResponse>",
        {"Content-Type": "text/xml"},
    ),
    _states("send_task_success", output="{}"),
    _states("send_task_failure", error="e", cause="c"),
    _states("send_task_heartbeat"),
    _s3("head_object", PLACE, ETag='"e"', Content_Length="3"),
    _s3("head_bucket", _BUCKET),
    _s3("get_object", PLACE, "<any/>", ETag='"e"'),
    _s3("get_object_tagging", PLACE, "<Tagging><TagSet/></Tagging>"),
    _s3("copy_object", PLACE | SOURCE, "<CopyObjectResult><ETag>e</ETag></CopyObjectResult>"),
    _s3("create_multipart_upload", PLACE, f"{_NAMED}<UploadId>u</UploadId></R>"),
    _s3("upload_part_copy", _PART | SOURCE, "<CopyPartResult><ETag>e</ETag></CopyPartResult>"),
    _s3("upload_part", _PART | {"Body": b"x"}, ETag='"e"'),
    _s3("restore_object", PLACE | {"RestoreRequest": {"Days": 1}}, status=202),
    _s3("put_object", PLACE | {"Body": b"x"}, ETag='"e"'),
    _s3("complete_multipart_upload", _UPLOAD, f"{_NAMED}<ETag>e</ETag></R>"),
    _s3("abort_multipart_upload", _UPLOAD, status=204),
    _s3("delete_object", PLACE, status=204),
    _s3("list_parts", _UPLOAD, "<R><UploadId>u</UploadId><Part><PartNumber>1</PartNumber></Part></R>"),
    _s3("list_multipart_uploads", _BUCKET, "<R><Bucket>bucket</Bucket></R>"),
    _s3("list_objects_v2", _BUCKET, "<R><Name>bucket</Name><Contents><Key>k</Key></Contents></R>"),
)
CALLS = (
    *_THROUGH_AIOBOTOCORE,
    *(
        replace(call, direct=True)
        for call in _THROUGH_AIOBOTOCORE
        if call.method in direct_calls.OPERATIONS.keys() | direct_s3.METHODS
    ),
)
