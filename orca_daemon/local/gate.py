"""WSGI: requests pass together; whoever needs the server at rest shuts the gate and waits for them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_READING = frozenset({"GET", "HEAD"})


class RequestGate:
    """In front of an application."""

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application
        self._moved = Condition()
        self._shut = False
        self._inside = 0
        self.changed = False
        """Whether a request that may have changed something has passed; reset by whoever looks."""

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        """Serve one request."""
        with self._moved:
            self._moved.wait_for(lambda: not self._shut)
            self._inside += 1
            self.changed |= environ["REQUEST_METHOD"] not in _READING
        try:
            return self._application(environ, start)
        finally:
            with self._moved:
                self._inside -= 1
                self._moved.notify_all()

    @contextmanager
    def shut(self, patience: float) -> Iterator[bool]:
        """Keep new requests out; gives whether those inside have left, which a stalled upload does not."""
        with self._moved:
            self._moved.wait_for(lambda: not self._shut)
            self._shut = True
            left = self._moved.wait_for(lambda: not self._inside, patience)
        try:
            yield left
        finally:
            with self._moved:
                self._shut = False
                self._moved.notify_all()
