"""SQS's error responses: shape name, and the code of the older protocol, which SDKs still report."""

import json

from orca_daemon.engine.memory import RequestRefusedError

_OLD = {
    "BatchEntryIdsNotDistinct": "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
    "BatchRequestTooLong": "AWS.SimpleQueueService.BatchRequestTooLong",
    "EmptyBatchRequest": "AWS.SimpleQueueService.EmptyBatchRequest",
    "InvalidBatchEntryId": "AWS.SimpleQueueService.InvalidBatchEntryId",
    "MessageNotInflight": "AWS.SimpleQueueService.MessageNotInflight",
    "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    "TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
    "UnsupportedOperation": "AWS.SimpleQueueService.UnsupportedOperation",
}
_OUTSIDE_SQS = {
    "InvalidParameterValue": "com.amazon.coral.service#InvalidParameterValueException",
    "MissingParameter": "com.amazon.coral.service#MissingParameterException",
    "InvalidAction": "com.amazon.coral.service#UnknownOperationException",
    "SerializationException": "com.amazon.coral.service#SerializationException",
}


def code(error: RequestRefusedError) -> str:
    """The code that SDKs report, also for an entry of a batch."""
    return _OLD.get(error.code, error.code)


def answer(error: RequestRefusedError) -> tuple[bytes, str]:
    """Body and `x-amzn-query-error` header of an answer with status 400."""
    shape = _OUTSIDE_SQS.get(error.code, f"com.amazonaws.sqs#{error.code}")
    return json.dumps({"__type": shape, "message": str(error)}).encode(), f"{code(error)};Sender"
