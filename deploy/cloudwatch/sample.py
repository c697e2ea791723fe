"""Prints the lines of metrics that a daemon with all queues writes in its first minute, for check.py."""

import sys

from orca_daemon.aws.operations import OPERATIONS
from orca_daemon.ops.emf.emitter import Emitter
from orca_daemon.ops.emf.lines import Identity
from orca_daemon.ops.metrics import Metrics
from orca_daemon.settings import STANDARD_QUEUES

metrics = Metrics({queue: queue for queue in STANDARD_QUEUES}, operations=OPERATIONS)
metrics.reconcile.show("archive", 1.0, {"phantom": 2, "orphan": 0, "mismatch": 0})
metrics.database.wait.observe(0.3)
Emitter(metrics, Identity("OrcaDaemon", "prefix"), lambda line: sys.stdout.write(f"{line}\n")).emit()
