"""The exceptions that a call of a client may raise, as tuples for `except`."""

from aiohttp import ClientError as ConnectionFailed
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    LoginError,
    MetadataRetrievalError,
    MissingParametersError,
    NoAuthTokenError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
    UnsupportedSignatureVersionError,
    ValidationError,
)

NOT_ANSWERED = (BotoCoreError, ConnectionFailed, OSError)
"""AWS did not answer: no response, or one that is not AWS's.  `TimeoutError` is an `OSError`."""
CALL_ERRORS = (ClientError, *NOT_ANSWERED)
"""All exceptions that a call may raise."""
NO_CREDENTIALS = (
    CredentialRetrievalError,
    LoginError,
    MetadataRetrievalError,
    NoAuthTokenError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
"""No credentials are configured, or their source does not answer."""
NOT_SENT = (
    MissingParametersError,
    ParamValidationError,
    UnsupportedSignatureVersionError,
    ValidationError,
)
"""botocore refused the request before it was sent, and would refuse it again."""
