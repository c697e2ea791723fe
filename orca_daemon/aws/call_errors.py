"""What a call of a client raises, as tuples for `except`."""

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
"""There was no answer, or none that is AWS's.  `TimeoutError` is an `OSError`."""
CALL_ERRORS = (ClientError, *NOT_ANSWERED)
"""Everything that a call may raise."""
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
NOT_SENT = (
    MissingParametersError,
    ParamValidationError,
    UnsupportedSignatureVersionError,
    ValidationError,
)
"""botocore sent nothing, and would send nothing the next time."""
