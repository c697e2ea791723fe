"""The certificate authorities that clients trust: a file that cannot be read is a mistake, not an outage."""

import ssl
from typing import Any


class AuthoritiesError(Exception):
    """The file of certificate authorities that somebody named is of no use."""


def checked(session: Any) -> None:
    """Read the file that AWS_CA_BUNDLE or the profile names for a botocore session, if one is named.

    Without this, each connection fails for ever as an error of the client that names no file.

    Raises:
        AuthoritiesError: the file is not there, cannot be read, or holds no certificates.
    """
    named = session.get_config_variable("ca_bundle")
    if not named:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(named)
    except OSError as error:
        reason = "it holds none" if isinstance(error, ssl.SSLError) else error.strerror
        raise AuthoritiesError(
            f"the certificate authorities in {named} cannot be read ({reason}): "
            "correct AWS_CA_BUNDLE, or ca_bundle of the profile"
        ) from error
