"""The panels of the dashboard, row by row."""

from collections.abc import Mapping, Sequence

from panels.copies import COPIES
from panels.exports import EXPORTS
from panels.handlers import HANDLERS
from panels.messages import MESSAGES
from panels.now import NOW
from panels.panel import Panel
from panels.process import PROCESS
from panels.reconciliation import RECONCILIATION
from panels.recoveries import RECOVERIES
from panels.sqs import SQS

ROWS: Mapping[str, Sequence[Panel]] = {
    "Now: backlog and dead letters": NOW,
    "Recoveries": RECOVERIES,
    "Messages": MESSAGES,
    "Handlers": HANDLERS,
    "SQS and other calls to AWS": SQS,
    "Copies": COPIES,
    "Reconciliation": RECONCILIATION,
    "Exports": EXPORTS,
    "Process, database, drain": PROCESS,
}
"""The first row is open, the others are folded."""
