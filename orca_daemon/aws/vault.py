"""Secrets Manager and Parameter Store, as the database's address needs them."""

from orca_daemon.aws.clients import Clients


class Vault:
    """Reads secrets when asked; nothing is kept, so a rotated secret is read anew."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def secret(self, name: str) -> str:
        """The text of a secret (AWS: GetSecretValue)."""
        answer = await self._clients.secrets.get_secret_value(SecretId=name)
        return str(answer["SecretString"])

    async def parameter(self, name: str) -> str:
        """The value of a parameter, decrypted (AWS: GetParameter)."""
        answer = await self._clients.ssm.get_parameter(Name=name, WithDecryption=True)
        return str(answer["Parameter"]["Value"])
