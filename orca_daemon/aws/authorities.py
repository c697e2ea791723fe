"""The certificate authorities that clients trust.  Apart from `session`, as `send` needs no aiobotocore."""

import ssl
from typing import Any


class AuthoritiesError(Exception):
    """The configured file of certificate authorities cannot be used."""


def check_authorities(session: Any) -> None:
    """Read the file that AWS_CA_BUNDLE or the profile names for a botocore session, if there is one.

    An unreadable file is an error of the configuration, not an outage.  Without this check every connection
    would fail, with an error that does not name the file.

    Raises:
        AuthoritiesError: the file does not exist, cannot be read, or holds no certificates.
    """
    path = session.get_config_variable("ca_bundle")
    if not path:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:
        reason = "it holds none" if isinstance(error, ssl.SSLError) else error.strerror
        raise AuthoritiesError(
            f"the certificate authorities in {path} cannot be read ({reason}): "
            "correct AWS_CA_BUNDLE, or ca_bundle of the profile"
        ) from error
