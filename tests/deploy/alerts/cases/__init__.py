"""The cases: for each alert a state of a real daemon in which it fires, and states in which none does.

A new alert needs a function in a module of this package, with the decorator `case`.  It brings a daemon into
the state, calls `stage.phase` in it with the minutes for which the state is to last and the alerts that must
fire at its end, and ends the state again.  A new module goes into the list below.

No value of a scrape is replaced.  The states are made by faults of the network, of S3, of queues and of the
database, and by signals.  Three kinds need more:

- Bugs of the daemon (`daemon.py`): a handler that hangs or fails, a notification that fails, late messages.
- Rows that are days old: an open recovery, a report.  They are written by SQL, and the daemon reads them.
- A retention: the dead-letter queue has one of four hours.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TypeAlias

from tests.deploy.alerts.cases.register import CASES
from tests.deploy.alerts.stage import Stage

Play: TypeAlias = Callable[[Stage], None]
for _subject in ("rest", "process", "intake", "dead_letters", "work", "catalog"):
    import_module(f"{__name__}.{_subject}")

ALL: Mapping[str, Play] = CASES
