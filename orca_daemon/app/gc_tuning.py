"""Tunes the garbage collector for a long-lived process that allocates many small objects."""

import gc

YOUNG = 20_000
"""Objects made before the young ones are looked at; every third answer of SQS alone reaches Python's 700."""


def tune_gc() -> None:
    """Call when the start is over: what it made stays, and is never looked at again.

    Looking for garbage was a tenth of the processor time of a status update (`python -m bench status`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
