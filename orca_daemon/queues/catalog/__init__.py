"""metadata queue: writes what ORCA has archived to its catalog, one transaction for each run.

A message describes one granule: its provider, its collection, and the files that were copied to the archive.
The path of a message:

1. `wire.catalog.decode` reads its body.
2. `CatalogWriter`, below, runs one transaction for up to 100 messages, of any groups: ORCA's producers put
   every message in a group of its own.
3. `store.apply` writes the rows that `rows.rows` makes of them, table by table, each table in one order, so
   that two transactions never wait for each other.
4. After the commit the engine deletes the messages from the queue.
"""

from collections.abc import Callable, Mapping, Sequence

from orca_daemon.db.database import Database
from orca_daemon.engine.message import Delivery
from orca_daemon.engine.route import Route
from orca_daemon.queues.catalog.store import apply
from orca_daemon.queues.services import Services
from orca_daemon.wire.catalog import CatalogRecord, decode

NAME = "catalog"


def route(services: Services) -> Route[CatalogRecord]:
    """The metadata queue.  Needs a database."""
    return Route(
        name=NAME,
        decode=lambda envelope: decode(envelope.body),
        handle=CatalogWriter(services.database, count_stale=services.metrics.catalog.stale.inc),
        needs=frozenset({"postgres"}),
        batch=100,
        merge=True,
        time_limit=300.0,
        describe=describe,
    )


def describe(message: CatalogRecord) -> Mapping[str, str]:
    """Granule, collection and number of files, for the log line of a message."""
    return {
        "granule_id": message.granule.cumulus_granule_id,
        "collection_id": message.collection.collection_id,
        "files": str(len(message.granule.files)),
    }


class CatalogWriter:
    """Writes runs of catalog records."""

    def __init__(
        self, database: Database | None, *, count_stale: Callable[[int], None] = lambda _: None
    ) -> None:
        self._database = database
        self._count_stale = count_stale

    async def __call__(self, run: Sequence[Delivery[CatalogRecord]], /) -> None:
        """Write the run in one transaction."""
        if self._database is None:
            raise RuntimeError("the catalog needs a database, and none is configured")
        stale = await self._database.transact(apply, [delivery.message for delivery in run])
        for position in stale:
            run[position].facts["stale"] = "true"
        if stale:
            self._count_stale(len(stale))
