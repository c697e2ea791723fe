"""WSGI middleware that can hold new requests back and wait until those in progress are done."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_READING = frozenset({"GET", "HEAD"})


class RequestGate:
    """Counts the requests in an application; `shut` holds new ones back."""

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application
        self._moved = Condition()
        self._shut = False
        self._inside = 0
        self.changed = False
        """Whether a request that may have changed data has passed; `MotoStateSaver` resets it."""

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
        """Hold new requests back; yields whether those in progress ended within `patience` seconds."""
        with self._moved:
            self._moved.wait_for(lambda: not self._shut)
            self._shut = True
            all_done = self._moved.wait_for(lambda: not self._inside, patience)
        try:
            yield all_done
        finally:
            with self._moved:
                self._shut = False
                self._moved.notify_all()
