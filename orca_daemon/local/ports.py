"""Chooses a free port on loopback."""

import secrets
import socket

_FIRST, _LAST = 15_000, 32_000
"""Below the ports that the kernel gives to outgoing connections: one of those may be taken at any moment."""


def free_port(wanted: int = 0) -> int:
    """Return `wanted` if it is free, else another free port; bind it promptly, as a process may take it."""
    port = wanted
    while not port or not _is_free(port):
        port = _FIRST + secrets.randbelow(_LAST - _FIRST)
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
