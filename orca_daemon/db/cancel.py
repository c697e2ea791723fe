"""Cancels the statement that runs on a connection, by libpq's cancel request, which poolers forward.

The driver's own `cancel` sends the same request, but holds the GIL until the server has answered: a server
that does not answer stops the whole process.  Calls through ctypes release the GIL.
"""

import ctypes
import threading
from ctypes import c_int, c_void_p

from psycopg2 import _psycopg

_LIBPQ = ctypes.CDLL(_psycopg.__file__)
"""The driver's libpq: the dynamic linker also searches the libraries that the driver is linked to."""
_KNOWN = hasattr(_LIBPQ, "PQcancelCreate")
"""Whether libpq is version 17 or newer, as in every wheel of the driver; older ones cannot cancel."""
if _KNOWN:
    _LIBPQ.PQcancelCreate.argtypes, _LIBPQ.PQcancelCreate.restype = [c_void_p], c_void_p
    _LIBPQ.PQcancelBlocking.argtypes, _LIBPQ.PQcancelBlocking.restype = [c_void_p], c_int
    _LIBPQ.PQcancelReset.argtypes, _LIBPQ.PQcancelReset.restype = [c_void_p], None
    _LIBPQ.PQcancelFinish.argtypes, _LIBPQ.PQcancelFinish.restype = [c_void_p], None


class CancelRequest:
    """The cancel request of one connection, with its own copy of address, key, TLS and time limit.

    It outlives the connection, which another thread may close at any time.
    """

    def __init__(self, connection: int) -> None:
        """Prepare the request.

        Args:
            connection: address of libpq's PGconn; the connection must be established.
        """
        self._request = _LIBPQ.PQcancelCreate(connection) if _KNOWN else None
        self._sending = threading.Lock()

    def send(self) -> None:
        """Send it and wait until the server has received it, for the connection's `connect_timeout` at most.

        A failure is not reported: the caller sees that the statement still runs.  If several threads call it,
        they send one after another.
        """
        if self._request is not None:
            with self._sending:
                _LIBPQ.PQcancelBlocking(self._request)
                _LIBPQ.PQcancelReset(self._request)

    def __del__(self) -> None:
        if self._request is not None:
            _LIBPQ.PQcancelFinish(self._request)
