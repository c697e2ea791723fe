"""Every error code of AWS that is distinguished, by what it means.

Sources: the common errors of AWS, S3's error responses, the errors of SQS, KMS, STS, Secrets Manager and
Parameter Store, each in its API reference.
"""

from collections.abc import Mapping
from enum import StrEnum


class Meaning(StrEnum):
    """What an error of AWS asks of the caller."""

    THROTTLED = "throttled"
    """Too many requests: wait, and charge nobody."""
    PASSING = "passing"
    """A fault of AWS or of the network, or an answer that proves nothing: it may pass."""
    CREDENTIALS = "credentials"
    """The credentials or a signature are not accepted, or not any more: get new ones, sign again."""
    CLOCK = "clock"
    """A signature is out of its time: this machine's clock is wrong, or the request was long under way."""
    DENIED = "denied"
    """We are known and not allowed, or a key of KMS is not ours to use."""
    MISSING = "missing"
    """The bucket, object, queue, secret or parameter does not exist."""
    REFUSED = "refused"
    """The request itself is wrong: the same again gets the same answer."""

    @property
    def passes(self) -> bool:
        """Whether the same request may succeed later, so that neither it nor its message is to blame."""
        return self in _PASSES


_PASSES = frozenset({Meaning.THROTTLED, Meaning.PASSING, Meaning.CREDENTIALS, Meaning.CLOCK})
CODES: Mapping[Meaning, frozenset[str]] = {
    Meaning.THROTTLED: frozenset(
        {
            "SlowDown",
            "BandwidthLimitExceeded",
            "KmsThrottled",
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
            # S3's SlowDown in other words ("Reduce your request rate").
            "ServiceUnavailable",
            # The answer to HEAD has no body that says more.
            "503",
        }
    ),
    Meaning.PASSING: frozenset(
        {
            # Two requests met: AWS asks for the same one again.
            "ConditionalRequestConflict",
            "OperationAborted",
            # The line was cut while a request or an answer was under way.
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
            # A bucket that is new, or on its way to another region.
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
            # The answer to a HEAD with such credentials, among other things: it has no body that says which.
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
            "KmsDisabled",
            "KmsInvalidKeyUsage",
            "KmsInvalidState",
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
            # Keys of secrets and parameters.
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
        }
    ),
    # Those only that their status would make something else.
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
            "UnknownOperationException",
        }
    ),
}
