"""Tunes Python's garbage collector: off during imports, and rarer in a process that runs for long."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 20_000
"""Objects allocated between two collections of the youngest generation.

Python's default is 700, which every third answer of SQS alone reaches.
"""


@contextmanager
def gc_disabled() -> Iterator[None]:
    """Use for imports: they make many objects and no garbage; collections take a seventh of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def tune_gc() -> None:
    """Call once when the start is complete: later collections skip all objects that exist now.

    Collections took a tenth of the processor time of a status update (`python -m bench status`).
    """
    gc.collect()
    gc.freeze()
    _give_back()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])


def _give_back() -> None:
    """Give freed memory back to the system, if the C library can (glibc): the start freed some 3 MB."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
