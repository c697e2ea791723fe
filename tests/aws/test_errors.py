"""The table of what errors of AWS mean: all codes, and codes whose meaning depends on the message."""

import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
)

import orca_daemon
from orca_daemon.aws.errors import Meaning, behind, code_of, meaning, meaning_of, reason_of
from orca_daemon.engine.errors import SourceError, SourceErrorKind

_SOURCES = Path(orca_daemon.__file__).parent
TABLE: dict[Meaning, str] = {
    Meaning.THROTTLED: """
        SlowDown:503 ServiceUnavailable:503 503:503 Throttling:400 ThrottlingException:400
        ThrottledException:400 RequestThrottled:400 AWS.SimpleQueueService.RequestThrottled:403
        RequestThrottledException:400 RequestLimitExceeded:400 TooManyRequestsException:429
        ProvisionedThroughputExceededException:400 BandwidthLimitExceeded:400 LimitExceededException:400
        PriorRequestNotComplete:400 OverLimit:403 KmsThrottled:400 KmsThrottlingException:400
        KMS.ThrottlingException:400 :429""",
    Meaning.PASSING: """
        InternalError:500 InternalError:200 InternalFailure:500 InternalServerError:500
        InternalServiceError:400 RequestTimeout:400 RequestTimeoutException:408 OperationAborted:409
        ConditionalRequestConflict:409 ServiceUnavailableException:503 IncompleteBody:400
        ResponseInterrupted:400 RequestAbortedException:400 ConnectionClosedByRequester:400
        TemporaryRedirect:307 IDPCommunicationError:400 KMS.KMSInternalException:500
        KMS.DependencyTimeoutException:503 KMS.KeyUnavailableException:500 :500 :502 :504 :408 :0 :200
        Busy:503 AnythingElse:500""",
    Meaning.CREDENTIALS: """
        ExpiredToken:400 ExpiredTokenException:403 ExpiredTradeInTokenException:400 TokenRefreshRequired:400
        InvalidToken:400 InvalidAccessKeyId:403 InvalidClientTokenId:403 UnrecognizedClientException:400
        SignatureDoesNotMatch:403 InvalidSignatureException:400 IncompleteSignature:400 InvalidSignature:400
        IncompleteSignatureException:403 AuthFailure:401 MissingAuthenticationToken:403
        MissingAuthenticationTokenException:403 MissingSecurityHeader:400 InvalidSecurity:403
        InvalidIdentityToken:400 IDPRejectedClaim:403 400:400 :401""",
    Meaning.CLOCK: "RequestTimeTooSkewed:403 RequestExpired:400 RequestInTheFuture:400",
    Meaning.DENIED: """
        AccessDenied:403 AccessDeniedException:400 com.amazonaws.sqs#AccessDeniedException:400
        NotAuthorized:400 UnauthorizedOperation:403 UnauthorizedAccess:401 UnauthorizedAccessError:403
        AllAccessDisabled:403 AccountProblem:403 NotSignedUp:403 OptInRequired:403 InvalidPayer:403
        NotDeviceOwnerError:400 RegionDisabledException:403 KmsAccessDenied:400 KmsDisabled:400
        KmsAccessDeniedException:400 KmsInvalidStateException:400
        KmsInvalidKeyUsage:400 KmsInvalidState:400 KmsNotFound:400 KmsOptInRequired:403
        KMS.DisabledException:400 KMS.NotFoundException:400 KMS.KMSInvalidStateException:400
        KMS.InvalidKeyUsageException:400 DecryptionFailure:400 EncryptionFailure:400 InvalidKeyId:400
        403:403 :403 UnheardOf:403""",
    Meaning.MISSING: """
        NoSuchBucket:404 NoSuchKey:404 NoSuchVersion:404 NoSuchUpload:404 NoSuchTagSet:404
        NoSuchTagSetError:404 NoSuchAccessPoint:404 404:404 NotFound:404 QueueDoesNotExist:400
        AWS.SimpleQueueService.NonExistentQueue:400 InvalidAddress:404 ResourceNotFoundException:400
        ParameterNotFound:400 ParameterVersionNotFound:400 TaskDoesNotExist:400 TaskTimedOut:400 :404""",
    Meaning.REFUSED: """
        InvalidObjectState:403 PreconditionFailed:412 InvalidRange:416 MethodNotAllowed:405
        NotImplemented:501 :501 InvalidArgument:400 InvalidRequest:400 InvalidPart:400 InvalidPartOrder:400
        EntityTooLarge:400 EntityTooSmall:400 MetadataTooLarge:400 KeyTooLongError:400 InvalidTag:400
        InvalidStorageClass:400 InvalidBucketName:400 MalformedXML:400 BadDigest:400
        XAmzContentSHA256Mismatch:400 RestoreAlreadyInProgress:409 ObjectAlreadyInActiveTierError:403
        InvalidParameterValue:400 InvalidParameterCombination:400 MissingParameter:400 InvalidAction:400
        MalformedQueryString:404 UnknownOperationException:404 ValidationError:400 ValidationException:400
        UnsupportedOperation:400 InvalidOutput:400 InvalidMessageContents:400 BatchRequestTooLong:400
        BatchEntryIdsNotDistinct:400 EmptyBatchRequest:400 InvalidBatchEntryId:400 InvalidIdFormat:400
        TooManyEntriesInBatchRequest:400 ReceiptHandleIsInvalid:400 MessageNotInflight:400
        InvalidAttributeName:400 InvalidParameterException:400 InvalidRequestException:400
        AuthorizationHeaderMalformed:400 PermanentRedirect:301 InvalidRegion:403 :400 :409""",
}
CASES = [(text, expected) for expected, texts in TABLE.items() for text in texts.split()]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text for text, _ in CASES])
def test_each_code_means_one_thing(text: str, expected: Meaning) -> None:
    code, _, status = text.rpartition(":")
    assert meaning(code, int(status)) is expected


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("SignatureDoesNotMatch", "Signature expired: 20261129T000000Z is now earlier than …", Meaning.CLOCK),
        ("InvalidSignatureException", "Signature not yet current: 20261129T000000Z is …", Meaning.CLOCK),
        ("SignatureDoesNotMatch", "The request signature we calculated does not match", Meaning.CREDENTIALS),
        ("AccessDenied", "Request has expired", Meaning.CREDENTIALS),
        ("AccessDenied", "Access Denied", Meaning.DENIED),
        ("AccessDenied", "User: u is not authorized to perform: kms:Decrypt", Meaning.DENIED),
    ],
    ids=["expired", "in the future", "another key", "old URL", "denied", "KMS"],
)
def test_some_codes_mean_different_things_by_their_message(
    code: str, message: str, expected: Meaning
) -> None:
    assert meaning(code, 403, message) is expected


def response(code: str, status: int, operation: str = "HeadObject", **headers: str) -> ClientError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": named}
    parsed: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": metadata}
    return ClientError(parsed, operation)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (response("403", 403), Meaning.DENIED),
        (response("403", 403, content_type="application/xml"), Meaning.DENIED),
        (response("403", 403, content_type="text/html", x_amz_request_id="1"), Meaning.DENIED),
        (response("403", 403, content_type="text/html"), Meaning.PASSING),
        (response("404", 404, content_type="text/html"), Meaning.PASSING),
        (response("400", 400), Meaning.CREDENTIALS),
        (response("503", 503), Meaning.THROTTLED),
        (response("404", 404, "GetQueueUrl"), Meaning.PASSING),
        (response("", 403, "SendMessage"), Meaning.PASSING),
        (response("429", 429, "SendMessage"), Meaning.THROTTLED),
        (response("503", 503, "SendMessage"), Meaning.PASSING),
    ],
    ids=str,
)
def test_a_status_without_a_code_counts_only_in_responses_of_s3_to_head(
    error: ClientError, expected: Meaning
) -> None:
    assert meaning_of(error) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NoCredentialsError(), Meaning.CREDENTIALS),
        (CredentialRetrievalError(provider="p", error_msg="m"), Meaning.CREDENTIALS),
        (ParamValidationError(report="r"), Meaning.REFUSED),
        (ConnectTimeoutError(endpoint_url="u"), Meaning.PASSING),
        (HTTPClientError(error=OSError("no route")), Meaning.PASSING),
        (TimeoutError(), Meaning.PASSING),
        (ConnectionResetError(), Meaning.PASSING),
        (ValueError(), Meaning.REFUSED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_without_a_response_has_a_meaning(error: Exception, expected: Meaning) -> None:
    assert meaning_of(error) is expected


def test_the_cause_of_an_error_of_the_client_is_reported() -> None:
    assert reason_of(HTTPClientError(error=OSError("no route"))) == "HTTPClientError: no route"
    wrapped = EndpointConnectionError(endpoint_url="https://s3", error=OSError("Name or service not known"))
    assert reason_of(wrapped) == "EndpointConnectionError: Name or service not known"


def test_a_status_without_a_code_is_reported_as_such() -> None:
    assert (
        reason_of(response("403", 403, "SendMessage")) == "status 403 on SendMessage, without a code of AWS"
    )
    assert reason_of(response("AccessDenied", 403, "SendMessage")) == "AccessDenied on SendMessage"


def test_a_wrong_clock_is_reported_with_the_difference() -> None:
    error = response("RequestTimeTooSkewed", 403, "ListBuckets", date="Thu, 01 Jan 2015 00:00:00 GMT")
    pattern = (
        r"^this machine's clock is wrong: AWS's is \d{8,} s behind \(RequestTimeTooSkewed on ListBuckets\)$"
    )
    assert re.match(pattern, reason_of(error))
    undated = response("RequestTimeTooSkewed", 403, "ListBuckets", date="soon")
    assert reason_of(undated) == "this machine's clock is wrong (RequestTimeTooSkewed on ListBuckets)"


def test_the_response_of_aws_is_found_among_the_causes_of_our_errors() -> None:
    cause = response("InvalidClientTokenId", 403, "GetQueueAttributes")
    wrapper = SourceError(SourceErrorKind.UNAVAILABLE, "…")
    wrapper.__cause__ = cause
    assert behind(wrapper) is cause
    assert behind(SourceError(SourceErrorKind.UNAVAILABLE, "…")) is None


def test_the_namespace_of_a_code_is_removed() -> None:
    assert code_of(response("AWS.SimpleQueueService.NonExistentQueue", 400)) == "NonExistentQueue"
    assert code_of(response("com.amazonaws.sqs#QueueDoesNotExist", 400)) == "QueueDoesNotExist"
    assert code_of(TimeoutError()) == "TimeoutError"


def test_no_other_module_reads_an_error_response_of_botocore() -> None:
    pattern = re.compile(r"(?<!http)\.response\b|[\"']response[\"']")  # `http.response` is a message of ASGI
    modules = {
        str(path.relative_to(_SOURCES))
        for path in _SOURCES.rglob("*.py")
        if any(pattern.search(line) for line in path.read_text().splitlines())
    }
    assert modules == {"aws/errors.py"}
