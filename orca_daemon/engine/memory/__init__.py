"""An SQS queue in memory that follows AWS's documentation to the letter, on a clock that is passed in.

The simulation drives it directly, local mode and the tests reach the same object over HTTP.  Not modelled:
short polls that miss messages, the request quotas, the time that AWS takes to spread a change of attributes,
the 60 seconds between deleting or purging a queue and doing so again, and the look of a FIFO queue at its
first 120,000 messages only.
"""

from orca_daemon.engine.memory.errors import RequestRefusedError
from orca_daemon.engine.memory.options import QueueOptions
from orca_daemon.engine.memory.queue import MemoryQueue, Redrive
from orca_daemon.engine.memory.record import Happened
from orca_daemon.engine.memory.source import MemorySource
from orca_daemon.engine.memory.stored import Received, SentMessage, State, Stored

__all__ = [
    "Happened",
    "MemoryQueue",
    "MemorySource",
    "QueueOptions",
    "Received",
    "Redrive",
    "RequestRefusedError",
    "SentMessage",
    "State",
    "Stored",
]
