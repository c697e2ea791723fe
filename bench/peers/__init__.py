"""What a user would pick instead of us, on the same endpoints in the same run.

Peers run in an environment of their own (`.venv-peers`), which is made at the first use.
"""

import os

from bench.peers import reconcile
from bench.report import Report, Target
from bench.size import Size
from orca_daemon.local.moto import CREDENTIALS


def measure(size: Size) -> Report:
    """Every comparison with a peer."""
    return _report(size.pick(10_000_000, 300_000, 5_000), peers=size is not Size.TINY)


def measure_rows(rows: int) -> Report:
    """The same with so many objects."""
    return _report(rows, peers=True)


def _report(rows: int, *, peers: bool) -> Report:
    os.environ.update(CREDENTIALS)
    figures: dict[str, float] = {}
    targets: list[Target] = []
    reconcile.measure(rows, figures, targets, peers=peers)
    return Report(name="peers", figures=figures, targets=targets)
