"""Which queues the embedded stack has besides ORCA's: those of the settings, of the code and of the user."""

import re
from collections.abc import Iterable, Mapping

from orca_daemon.aws.clients import connect
from orca_daemon.local.layout import QUEUES, QueueSpec, more_queue
from orca_daemon.local.moto import CREDENTIALS, REGION
from orca_daemon.ops.metrics import Metrics
from orca_daemon.queues import routes
from orca_daemon.queues.services import Services
from orca_daemon.settings import Settings, load

_FIFO = ".fifo"


class QueueNameError(ValueError):
    """A queue cannot have this name; the text says why."""


def parse_queue(text: str) -> tuple[str, bool]:
    """The name of `granule_notices` or `granule_notices.fifo`, and whether it is a FIFO queue.

    Raises:
        QueueNameError: it is no name of a section in the settings, or the stack has that queue already.
    """
    name = text.removesuffix(_FIFO)
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", name):
        raise QueueNameError(f"{text!r} is not a name such as granule_notices or granule_notices.fifo")
    if name in QUEUES:
        raise QueueNameError(f"the stack has the queue {name} already")
    return name, text.endswith(_FIFO)


def more_queues(settings: Settings, routes: Iterable[str], asked: Mapping[str, bool]) -> dict[str, QueueSpec]:
    """The queues that the stack has besides ORCA's, by their names in the settings.

    Args:
        settings: a queue is of the type that its URL has there.
        routes: names of all routes; a route that no queue is bound to gets a standard queue of its name.
        asked: names that the user gave, and whether each is a FIFO queue.
    """
    fifo = {name: (queue.url or "").endswith(_FIFO) for name, queue in settings.bound.items()} | dict(asked)
    handled = {queue.route or name for name, queue in settings.bound.items()} | QUEUES.keys() | asked.keys()
    names = [*fifo, *(name for name in routes if name not in handled)]
    return {name: more_queue(name, fifo=fifo.get(name, False)) for name in names if name not in QUEUES}


async def route_names() -> list[str]:
    """The names of all routes of the code.  It connects to nothing."""
    settings = load(environ={"AWS_REGION": REGION, **CREDENTIALS}, need_queue=False)
    async with connect(settings) as clients:
        services = Services(settings=settings, clients=clients, database=None, metrics=Metrics())
        return [route.name for route in routes(services)]
