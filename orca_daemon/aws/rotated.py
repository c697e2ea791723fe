"""Reads a credentials file again once AWS does not accept what it held: botocore reads it at the start only.

Agents that rotate keys write them to such files (AWS: shared config and credentials files).
"""

from functools import partial
from typing import Any

from aiobotocore.session import AioSession

from orca_daemon.aws.errors import Meaning, meaning

_FILES = frozenset({"shared-credentials-file", "config-file"})
"""Names that botocore gives to the providers that read a file."""


def watch(session: AioSession) -> None:
    """Replace the keys of this session, in all its clients, when they are refused and its file has others."""
    session.register("response-received", partial(_look, session))


async def _look(session: AioSession, parsed_response: dict[str, Any] | None = None, **_: Any) -> None:
    error = (parsed_response or {}).get("Error")
    if not isinstance(error, dict):
        return
    if meaning(str(error.get("Code")), 0, str(error.get("Message"))) is Meaning.CREDENTIALS:
        await _read_again(session)


async def _read_again(session: AioSession) -> None:
    held = await session.get_credentials()
    if held is None or held.method not in _FILES:
        return
    found = await session.get_component("credential_provider").get_provider(held.method).load()
    if found is not None:
        # In place: every client signs with this object.
        held.access_key, held.secret_key, held.token = found.access_key, found.secret_key, found.token
