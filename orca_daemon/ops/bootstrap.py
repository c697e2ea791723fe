"""Prepares the process before heavy imports: opens standard streams, lets signals end the process.

Process 1 of a container without an init has no default actions: the kernel ignores the signals that it does
not handle (pid_namespaces(7)), so that a SIGTERM would be lost until the event loop runs.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeAlias

ENDING = (signal.SIGTERM, signal.SIGINT)
SIGNALLED = 128
"""Added to the signal's number gives the exit code that shells and container runtimes report."""
Handler: TypeAlias = Callable[[int, object], object] | int | None


def ends_the_process() -> Handler:
    """The handler that ends this process at once, as the default action of a signal does."""
    return end_by if os.getpid() == 1 else signal.SIG_DFL


def end_by(number: int, _frame: object = None) -> NoReturn:
    """End the process by a signal; process 1 exits with the code that shells report for it (143, 130)."""
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    os._exit(SIGNALLED + number)


def unblock(numbers: Iterable[signal.Signals]) -> None:
    """Unblock these signals; call it once they have handlers.

    A process inherits its parent's blocked signals (sigprocmask(2)): if a supervisor leaves SIGTERM blocked,
    only SIGKILL would stop the process.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


@contextmanager
def signals_end_the_process() -> Iterator[None]:
    """SIGTERM and SIGINT end the process; after the block, SIGINT raises KeyboardInterrupt."""
    for number in ENDING:
        # A shell starts background jobs with SIGINT ignored; keep that.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, ends_the_process())
    unblock(ENDING)
    yield
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def open_standard_streams() -> None:
    """Open each closed descriptor from 0 to 2 on the null device.

    Otherwise the next file or socket gets that number, and prints and log lines are written into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # open(2) returns the lowest free number, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  it stays open


@contextmanager
def hidden(package: str) -> Iterator[None]:
    """Let what is imported in the block do without a package that it would use if it were installed."""
    before = sys.modules.get(package)
    # Python's own mark of a module that must not be found (reference: the import system).
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]
        if before is not None:
            sys.modules[package] = before
