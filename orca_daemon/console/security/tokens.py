"""The tokens of the settings: read at the start, compared in constant time."""

import hashlib
import hmac
import json
from collections.abc import Mapping

from orca_daemon.db.address import Secrets, is_reference
from orca_daemon.engine.errors import Reject
from orca_daemon.ops.exits import StartConfigurationError
from orca_daemon.settings import ConsoleSection, shown

SHORT = 20
"""Tokens with fewer characters than this are warned of."""


class Tokens:
    """Names and their tokens; only digests are compared, so that lengths do not show either."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._digests = {name: _digest(token) for name, token in tokens.items()}

    def __bool__(self) -> bool:
        return bool(self._digests)

    def holder(self, given: str) -> str | None:
        """The name of the token; every token is compared, whether one has matched or not."""
        digest, found = _digest(given), None
        for name, known in self._digests.items():
            if hmac.compare_digest(digest, known):
                found = name
        return found

    def key(self, name: str) -> bytes | None:
        """A key for signing that ends with this token; None for an unknown name."""
        digest = self._digests.get(name)
        return None if digest is None else hmac.digest(digest, b"orca-daemon console session", "sha256")


async def read_tokens(settings: ConsoleSection, secrets: Secrets) -> Mapping[str, str]:
    """The tokens, of which some may be in Parameter Store or Secrets Manager.

    Raises:
        StartConfigurationError: a token cannot be read, is empty, or is another's, too.
        NotYet: AWS does not answer.
    """
    tokens: dict[str, str] = {}
    for name, secret in settings.tokens.items():
        setting = shown(f"console.tokens.{name}")
        try:
            token = (await _value(secret.get_secret_value(), secrets)).strip()
        except Reject as error:
            raise StartConfigurationError(f"{setting} cannot be read: {error}") from None
        if not token:
            raise StartConfigurationError(f"{setting} is empty")
        if token in tokens.values():
            raise StartConfigurationError(f"{setting} is the token of another name, too")
        tokens[name] = token
    return tokens


async def _value(text: str, secrets: Secrets) -> str:
    if not is_reference(text):
        return text
    kind, _, name = text.strip().partition(":")
    if kind == "ssm":
        return await secrets.parameter(name)
    name, _, key = name.partition("#")
    value = await secrets.secret(name)
    return _within(value, key) if key else value


def _within(value: str, key: str) -> str:
    """The text under a key of a secret that is a JSON object."""
    try:
        found = json.loads(value)[key]
    except (ValueError, KeyError, TypeError):
        found = None
    if not isinstance(found, str):
        raise Reject(f"the secret has no text under the key {key}")
    return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
