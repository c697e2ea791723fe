"""Collects the cases by the names of their functions."""

from collections.abc import Callable

from tests.deploy.alerts.stage import Stage

CASES: dict[str, Callable[[Stage], None]] = {}


def case(play: Callable[[Stage], None]) -> Callable[[Stage], None]:
    """Add a case; its name says which state it is."""
    CASES[play.__name__] = play
    return play
