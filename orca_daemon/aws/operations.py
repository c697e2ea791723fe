"""Every AWS operation that the daemon calls, and the IAM actions that each needs.

`deploy/iam/policy.json` grants exactly these actions; a test compares both with the code.
"""

from collections.abc import Mapping

_READ = ("s3:GetObject", "s3:GetObjectVersion")
_WRITE = ("s3:PutObject",)
# In a versioned bucket a copy names the version of its HeadObject; S3 has separate actions for versions.
_READ_TAGS = ("s3:GetObjectTagging", "s3:GetObjectVersionTagging")

OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "s3:AbortMultipartUpload": ("s3:AbortMultipartUpload",),
    "s3:CompleteMultipartUpload": _WRITE,
    # CopyObject copies the object's tags, too.
    "s3:CopyObject": (*_READ, *_WRITE, *_READ_TAGS, "s3:PutObjectTagging"),
    "s3:CreateMultipartUpload": (*_WRITE, "s3:PutObjectTagging"),
    "s3:DeleteObject": ("s3:DeleteObject",),
    "s3:GetObject": _READ,
    "s3:GetObjectTagging": _READ_TAGS,
    "s3:HeadBucket": ("s3:ListBucket",),
    "s3:HeadObject": _READ,
    "s3:ListMultipartUploads": ("s3:ListBucketMultipartUploads",),
    "s3:ListObjectsV2": ("s3:ListBucket",),
    "s3:ListParts": ("s3:ListMultipartUploadParts",),
    "s3:PutObject": _WRITE,
    "s3:RestoreObject": ("s3:RestoreObject",),
    "s3:UploadPart": _WRITE,
    "s3:UploadPartCopy": (*_READ, *_WRITE),
    "secretsmanager:GetSecretValue": ("secretsmanager:GetSecretValue",),
    "sqs:ChangeMessageVisibilityBatch": ("sqs:ChangeMessageVisibility",),
    "sqs:DeleteMessageBatch": ("sqs:DeleteMessage",),
    "sqs:GetQueueAttributes": ("sqs:GetQueueAttributes",),
    "sqs:GetQueueUrl": ("sqs:GetQueueUrl",),
    "sqs:ReceiveMessage": ("sqs:ReceiveMessage",),
    "sqs:SendMessage": ("sqs:SendMessage",),
    "ssm:GetParameter": ("ssm:GetParameter",),
    "stepfunctions:SendTaskFailure": ("states:SendTaskFailure",),
    "stepfunctions:SendTaskHeartbeat": ("states:SendTaskHeartbeat",),
    "stepfunctions:SendTaskSuccess": ("states:SendTaskSuccess",),
    "sts:GetCallerIdentity": (),
}

CONSOLE = frozenset(
    {
        "s3:GetObject",
        "s3:HeadBucket",
        "s3:HeadObject",
        "s3:ListObjectsV2",
        "secretsmanager:GetSecretValue",
        "sqs:ChangeMessageVisibilityBatch",
        "sqs:DeleteMessageBatch",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
        "ssm:GetParameter",
    }
)
"""Those that the console calls; `deploy/iam/console-policy.json` grants what they need."""
