"""One module or package for each queue; to add a queue, add a module, and a line in `routes`."""

from typing import Any

from orca_daemon.engine.route import Route
from orca_daemon.queues import catalog, internal_report, recovery, restore, status_update
from orca_daemon.queues.services import Services


def routes(services: Services) -> list[Route[Any]]:
    """All routes; the settings bind queues to them by name."""
    return [
        status_update.route(services),
        recovery.route(services),
        internal_report.route(services),
        catalog.route(services),
        restore.route(services),
    ]
