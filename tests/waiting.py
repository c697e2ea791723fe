"""Waits for a condition in another process by polling, for cases without an event to wait for."""

import time
from collections.abc import Callable

PATIENCE = 60.0
"""Seconds until a test gives up; a passing test needs far less."""
_PAUSE = 0.02
"""Seconds between two polls: without a pause, polling takes CPU time from the process that is waited for."""


def until(
    condition: Callable[[], object],
    *,
    patience: float = PATIENCE,
    output: Callable[[], str] = lambda: "the condition did not become true in time",
) -> None:
    """Return as soon as `condition()` is true; after `patience` seconds fail with the text of `output()`."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, output()
        time.sleep(_PAUSE)
