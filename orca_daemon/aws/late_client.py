"""A client of AWS that is made at its first call, because most daemons never make one."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiobotocore.session import AioSession

Make = Callable[[], Awaitable[Any]]


class LateClient:
    """Has the operations of a client, such as `get_parameter(…)`, and nothing else of it.

    A call raises what making the client raises, too.

    Args:
        make: makes the client.
    """

    def __init__(self, make: Make) -> None:
        self._make = make
        self._making = asyncio.Lock()
        self._client: Any = None
        self._prepare: list[Callable[[Any], None]] = []

    def when_made(self, prepare: Callable[[Any], None]) -> None:
        """Call `prepare` with the client before its first call."""
        self._prepare.append(prepare)

    def __getattr__(self, operation: str) -> Callable[..., Awaitable[Any]]:
        async def call(**parameters: Any) -> Any:
            return await getattr(await self._made(), operation)(**parameters)

        call.__name__ = operation  # as a client's own methods have it: a dependency's places are named by it
        return call

    async def _made(self) -> Any:
        async with self._making:
            if self._client is None:
                client = await self._make()
                for prepare in self._prepare:
                    prepare(client)
                self._client = client
            return self._client


async def read_model(session: AioSession, service: str) -> None:
    """Read the description of a service, which making its client needs: up to a megabyte, so in a thread."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="model")
    loader = session.get_component("data_loader")  # it keeps what it reads
    try:
        await asyncio.get_running_loop().run_in_executor(
            thread, loader.load_service_model, service, "service-2"
        )
    finally:
        thread.shutdown(wait=False)


def drop_documentation(session: AioSession, service: str) -> None:
    """Empty AWS's texts in the description of a service that a client uses: a megabyte that nobody reads."""
    loader = session.get_component("data_loader")
    _drop_documentation(loader.load_service_model(service, "service-2", api_version=None))


def _drop_documentation(part: Any) -> None:
    if isinstance(part, dict):
        if isinstance(part.get("documentation"), str):
            part["documentation"] = ""
        for value in part.values():
            _drop_documentation(value)
    elif isinstance(part, list):
        for value in part:
            _drop_documentation(value)
