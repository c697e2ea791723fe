"""Secrets Manager and Parameter Store, as the database's address needs them."""

from collections.abc import Awaitable, Mapping
from typing import Any

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.clients import Clients
from orca_daemon.aws.errors import meaning_of, reason_of
from orca_daemon.engine.errors import NotYet, Reject


class SecretReader:
    """Reads secrets when asked; nothing is kept, so a rotated secret is read anew."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def secret(self, name: str) -> str:
        """The text of a secret (AWS: GetSecretValue).

        Raises:
            Reject: it does not exist, is closed to us, or is not a text: no waiting brings it.
            NotYet: AWS does not answer.
        """
        answer = await _answered(self._clients.secrets.get_secret_value(SecretId=name))
        if "SecretString" not in answer:
            raise Reject("it is not a text but binary")
        return str(answer["SecretString"])

    async def parameter(self, name: str) -> str:
        """The value of a parameter, decrypted (AWS: GetParameter).  Raises as `secret` does."""
        answer = await _answered(self._clients.ssm.get_parameter(Name=name, WithDecryption=True))
        return str(answer["Parameter"]["Value"])


async def _answered(call: Awaitable[Mapping[str, Any]]) -> Mapping[str, Any]:
    try:
        return await call
    except CALL_ERRORS as error:
        kind = NotYet if meaning_of(error).passes else Reject
        raise kind(reason_of(error)) from error
