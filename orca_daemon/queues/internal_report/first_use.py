"""Imports what only exports need when the first export comes: Arrow takes 40 MB and half a second."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType


async def exports() -> ModuleType:
    """The module `exports` of this package, imported in a thread because the event loop must not wait."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="import")
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, _import)
    finally:
        thread.shutdown(wait=False)  # a cancelled message must not make the loop wait for the import


def _import() -> ModuleType:
    from orca_daemon.queues.internal_report import exports as module

    return module
