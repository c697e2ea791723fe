"""Waiting for what another process does, where nothing tells of it."""

import time
from collections.abc import Callable

PATIENCE = 60.0
"""Seconds until a test gives up; one that passes never comes near."""
_PAUSE = 0.02
"""Between two looks: who looks without a pause takes the processor from whom it waits for."""


def until(
    what: Callable[[], object],
    *,
    patience: float = PATIENCE,
    output: Callable[[], str] = lambda: "it is not so",
) -> None:
    """Return when it is so; fail with what `output` says when it does not become so."""
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, output()
        time.sleep(_PAUSE)
