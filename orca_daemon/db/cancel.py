"""Cancels what runs on a connection, by the request of libpq's protocol, which poolers pass on.

The driver's own `cancel` sends the same request, but holds the interpreter's lock until the server has
answered: one that fell silent stops the whole process.  Calls by way of ctypes release the lock.
"""

import ctypes
from ctypes import c_int, c_void_p

from psycopg2 import _psycopg

_LIBPQ = ctypes.CDLL(_psycopg.__file__)
"""Symbols of a library are looked for in those that it is linked to, too: wherever the driver's libpq is."""
_KNOWN = hasattr(_LIBPQ, "PQcancelCreate")
"""Since libpq 17, which every wheel of the driver brings; one built with an older libpq cancels nothing."""
if _KNOWN:
    _LIBPQ.PQcancelCreate.argtypes, _LIBPQ.PQcancelCreate.restype = [c_void_p], c_void_p
    _LIBPQ.PQcancelBlocking.argtypes, _LIBPQ.PQcancelBlocking.restype = [c_void_p], c_int
    _LIBPQ.PQcancelReset.argtypes, _LIBPQ.PQcancelReset.restype = [c_void_p], None
    _LIBPQ.PQcancelFinish.argtypes, _LIBPQ.PQcancelFinish.restype = [c_void_p], None


class CancelRequest:
    """The request for one connection: its own copy of address, key, TLS and time limit.

    It outlives the connection, which another thread may close at any moment.
    """

    def __init__(self, connection: int) -> None:
        """`connection` is the address of libpq's structure; the connection is established."""
        self._request = _LIBPQ.PQcancelCreate(connection) if _KNOWN else None

    def send(self) -> None:
        """Send it and wait until the server has taken it, for the connection's `connect_timeout` at most.

        That nobody took it is not reported: the caller sees that the work goes on.  One thread at a time.
        """
        if self._request is not None:
            _LIBPQ.PQcancelBlocking(self._request)
            _LIBPQ.PQcancelReset(self._request)

    def __del__(self) -> None:
        if self._request is not None:
            _LIBPQ.PQcancelFinish(self._request)
