"""A port of loopback that nobody has."""

import socket


def free_port(wanted: int = 0) -> int:
    """This port if nobody has it, else any that nobody has; bind it promptly: another process may take it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return free_port()
        port: int = probe.getsockname()[1]
        return port
