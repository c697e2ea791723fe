"""Asks the daemon of this machine whether it is alive: `python -m orca_daemon.ops.probe [PATH]`, exit 0 or 1.

For container health checks, which have no curl.  It loads nothing but the standard library, because it is
started every few seconds.
"""

import http.client
import os
import sys

PORT = 9464


def ask(path: str, port: int, timeout: float = 4.0) -> tuple[bool, str]:
    """Whether the answer was 200, and what it said."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status == http.client.OK, response.read().decode(errors="replace")
    except OSError as error:
        return False, f"127.0.0.1:{port}: {error}\n"
    finally:
        connection.close()


def main() -> None:
    """Ask, print, exit."""
    path = sys.argv[1] if len(sys.argv) > 1 else "/livez"
    alive, text = ask(path, int(os.environ.get("ORCA_HTTP__PORT", PORT)))
    sys.stdout.write(text)
    sys.exit(0 if alive else 1)


if __name__ == "__main__":
    main()
