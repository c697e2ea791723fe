"""One module for each queue, and the list of routes: to add a queue, a module here and a line below."""

from typing import Any

from orca_daemon.engine.route import Route
from orca_daemon.queues import internal_report, recovery, status_update
from orca_daemon.queues.services import Services


def routes(services: Services) -> list[Route[Any]]:
    """Every route there is; settings bind queues to them by name."""
    return [
        status_update.route(services),
        recovery.route(services),
        internal_report.route(services),
    ]
