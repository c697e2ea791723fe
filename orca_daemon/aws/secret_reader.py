"""Reads secrets and parameters, for the address of the database."""

from collections.abc import Awaitable, Mapping
from typing import Any

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.clients import Clients
from orca_daemon.aws.errors import meaning_of, reason_of
from orca_daemon.engine.errors import NotYet, Reject


class SecretReader:
    """Reads from Secrets Manager and Parameter Store; caches nothing, so that it notices rotated secrets."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def secret(self, name: str) -> str:
        """The text of a secret (AWS: GetSecretValue).

        Raises:
            Reject: it does not exist, access is denied, or it is not a text: waiting does not help.
            NotYet: AWS does not answer, or refuses the credentials.
        """
        response = await _response(self._clients.secrets.get_secret_value(SecretId=name))
        if "SecretString" not in response:
            raise Reject("it is not a text but binary")
        return str(response["SecretString"])

    async def parameter(self, name: str) -> str:
        """The value of a parameter, decrypted (AWS: GetParameter).  Raises as `secret` does."""
        response = await _response(self._clients.ssm.get_parameter(Name=name, WithDecryption=True))
        return str(response["Parameter"]["Value"])


async def _response(call: Awaitable[Mapping[str, Any]]) -> Mapping[str, Any]:
    try:
        return await call
    except CALL_ERRORS as error:
        kind = NotYet if meaning_of(error).passes else Reject
        raise kind(reason_of(error)) from error
