"""The cases: for each alert a state of a real daemon in which it fires, and states in which none does.

A new alert needs a function in a module of this package, with the decorator `case`.  It brings a daemon into
the state, calls `stage.phase` in it with the minutes for which the state is to last and the alerts that must
fire at its end, and ends the state again.  A new module goes into the list below.
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
