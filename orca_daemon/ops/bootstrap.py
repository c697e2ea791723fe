"""What must hold before anything heavy is imported: open standard streams, and signals that end the process.

Process 1 of a container without an init has no default actions: the kernel ignores the signals that it does
not handle (pid_namespaces(7)), so that a SIGTERM would be lost until the event loop runs.
"""

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeAlias

ENDING = (signal.SIGTERM, signal.SIGINT)
SIGNALLED = 128
"""Exit code less the number of the signal, as shells and container runtimes report an end by a signal."""
Handler: TypeAlias = Callable[[int, object], object] | int | None


def ends_the_process() -> Handler:
    """A handler that ends this process as the default action ends others, at once."""
    return end_by if os.getpid() == 1 else signal.SIG_DFL


def end_by(number: int, _frame: object = None) -> NoReturn:
    """End the process by a signal; as process 1, with the exit code that stands for it (143, 130)."""
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    os._exit(SIGNALLED + number)


def unblock(numbers: Iterable[signal.Signals]) -> None:
    """Let these signals through, once there are handlers for them.

    A process inherits what its parent blocks (sigprocmask(2)): a supervisor that forgets to let go of SIGTERM
    would stop nothing but by SIGKILL.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


@contextmanager
def signals_end_the_process() -> Iterator[None]:
    """SIGTERM and SIGINT end the process; after the block, SIGINT raises KeyboardInterrupt."""
    for number in ENDING:
        # What a shell starts in the background ignores SIGINT.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, ends_the_process())
    unblock(ENDING)
    yield
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def garbage_is_kept() -> Iterator[None]:
    """For imports: they make many objects and no garbage, and looking for some is a seventh of their time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def open_standard_streams() -> None:
    """Open what is closed of descriptors 0 to 2 on the null device.

    Otherwise the next file or socket gets the number, and is written to as if it were standard output.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # It takes the lowest number that is free, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  it stays open
