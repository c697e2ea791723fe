"""The error codes of AWS, by what they mean.

Sources: AWS's API references (common errors, S3 error responses, SQS, KMS, STS, Secrets Manager, Parameter
Store, Step Functions).
"""

from collections.abc import Mapping
from enum import StrEnum


class Meaning(StrEnum):
    """What an error of AWS means for the caller."""

    THROTTLED = "throttled"
    """Too many requests: wait, and charge no message with an attempt."""
    PASSING = "passing"
    """A fault of AWS or of the network, or a response that is not AWS's: a retry may succeed."""
    CREDENTIALS = "credentials"
    """AWS refuses the credentials or the signature: get new credentials, sign again."""
    CLOCK = "clock"
    """The signature's time is too far off: this machine's clock is wrong, or the request took long."""
    DENIED = "denied"
    """The credentials are valid, but lack the permission, or may not use a key of KMS."""
    MISSING = "missing"
    """The bucket, object, queue, secret or parameter does not exist."""
    REFUSED = "refused"
    """The request itself is wrong: the same request would fail again."""

    @property
    def passes(self) -> bool:
        """Whether the same request may succeed later, so that its message is not to blame."""
        return self in _PASSES


_PASSES = frozenset({Meaning.THROTTLED, Meaning.PASSING, Meaning.CREDENTIALS, Meaning.CLOCK})
CODES: Mapping[Meaning, frozenset[str]] = {
    Meaning.THROTTLED: frozenset(
        {
            "SlowDown",
            "BandwidthLimitExceeded",
            "KmsThrottled",
            "KmsThrottlingException",
            "LimitExceededException",
            "OverLimit",
            "PriorRequestNotComplete",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "ThrottledException",
            "Throttling",
            "ThrottlingException",
            "TooManyRequests",
            "TooManyRequestsException",
            # No capacity for Expedited restores now (AWS: RestoreObject).
            "GlacierExpeditedRetrievalNotAvailable",
            # A synonym of S3's SlowDown ("Reduce your request rate").
            "ServiceUnavailable",
            # S3's response to a HEAD: it has no body with a code.
            "503",
        }
    ),
    Meaning.PASSING: frozenset(
        {
            # Two requests for one object at the same time: AWS asks to repeat this one.
            "ConditionalRequestConflict",
            "OperationAborted",
            # The connection broke during the request or the response.
            "ConnectionClosedByRequester",
            "IncompleteBody",
            "RequestAbortedException",
            "ResponseInterrupted",
            "IDPCommunicationError",
            "InternalError",
            "InternalFailure",
            "InternalServerError",
            "InternalServiceError",
            "RequestTimeout",
            "RequestTimeoutException",
            "ServiceUnavailableException",
            # A bucket that is new, or is being moved to another region.
            "TemporaryRedirect",
            # KMS behind S3.
            "DependencyTimeoutException",
            "KMSInternalException",
            "KeyUnavailableException",
        }
    ),
    Meaning.CREDENTIALS: frozenset(
        {
            "AuthFailure",
            "ExpiredToken",
            "ExpiredTokenException",
            "ExpiredTradeInTokenException",
            "IDPRejectedClaim",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidIdentityToken",
            "InvalidSecurity",
            "InvalidSignature",
            "InvalidSignatureException",
            "InvalidToken",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "MissingSecurityHeader",
            "NoSuchSessionToken",
            "SignatureDoesNotMatch",
            "TokenRefreshRequired",
            "UnrecognizedClientException",
            # S3's response to a HEAD with such credentials, and in other cases: it has no body with a code.
            "400",
        }
    ),
    Meaning.CLOCK: frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"}),
    Meaning.DENIED: frozenset(
        {
            "AccessDenied",
            "AccessDeniedException",
            "AccountProblem",
            "AllAccessDisabled",
            "InvalidPayer",
            "KmsAccessDenied",
            "KmsAccessDeniedException",
            "KmsDisabled",
            "KmsInvalidKeyUsage",
            "KmsInvalidState",
            "KmsInvalidStateException",
            "KmsNotFound",
            "KmsOptInRequired",
            "NotAuthorized",
            "NotDeviceOwnerError",
            "NotSignedUp",
            "OptInRequired",
            "RegionDisabledException",
            "UnauthorizedAccess",
            "UnauthorizedAccessError",
            "UnauthorizedOperation",
            # The KMS keys of secrets and parameters.
            "DecryptionFailure",
            "EncryptionFailure",
            "InvalidKeyId",
        }
    ),
    Meaning.MISSING: frozenset(
        {
            "404",
            "InvalidAddress",
            "NoSuchAccessPoint",
            "NoSuchBucket",
            "NoSuchKey",
            "NoSuchTagSet",
            "NoSuchTagSetError",
            "NoSuchUpload",
            "NoSuchVersion",
            "NonExistentQueue",
            "NotFound",
            "ParameterNotFound",
            "ParameterVersionNotFound",
            "QueueDoesNotExist",
            "ResourceNotFoundException",
            # The execution of the state machine has ended, or has not waited so long.
            "TaskDoesNotExist",
            "TaskTimedOut",
        }
    ),
    # Only the codes whose HTTP status would mean something else.
    Meaning.REFUSED: frozenset(
        {
            "InvalidObjectState",
            "InvalidRegion",
            "MalformedQueryString",
            "MethodNotAllowed",
            "NotImplemented",
            "ObjectAlreadyInActiveTierError",
            "ObjectNotInActiveTierError",
            "PermanentRedirect",
            "RestoreAlreadyInProgress",
            "UnknownOperationException",
        }
    ),
}
OF_TASKS: Mapping[str, Meaning] = {"InvalidToken": Meaning.MISSING}
"""Codes with another meaning in Step Functions' responses to SendTask…: there the token is a task's."""
