"""status-update queue: the progress of recoveries, written to Postgres.

Two messages share it: `NewJob` opens the recovery of a granule with its files, `UpdateFile` moves one file
along.  ORCA puts all of them in one group; a deployment of its own may use one group for each granule.
"""

from orca_daemon.queues.status_update.handler import route

__all__ = ["route"]
