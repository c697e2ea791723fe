"""Health check of the daemon on this machine: `python -m orca_daemon.ops.probe [PATH]`, exit code 0 or 1.

For containers, whose image has no curl.  It imports only the standard library, because it is started every
few seconds.  It reads the port from where the daemon reads it: settings file, environment, and the flags of
the daemon that was started in the same directory with the same variables.
"""

import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

HOST, PORT = "127.0.0.1", 9464
SECONDS = 4.0
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  these are read, never bound
_FILE = "config/orca-daemon.toml"
_VARIABLES = ("ORCA_CONFIG", "ORCA_HTTP__HOST", "ORCA_HTTP__PORT")
_FLAGS = {"--host": "host", "--port": "port", "--config": "config", "-c": "config"}
_MOST_BYTES = 1_000_000
_PORTS = range(1, 65_536)


class Address(NamedTuple):
    """The host and port to connect to from this machine."""

    host: str
    port: int


def where(environ: Mapping[str, str] = os.environ, processes: Path = Path("/proc")) -> Address:
    """The address of the daemon.

    Raises:
        OSError, ValueError: a setting cannot be read, or is not valid.
    """
    flags = _flags(environ, processes)
    settings: dict[str, object] = {"host": HOST, "port": PORT}
    settings |= _of_file(flags.get("config") or environ.get("ORCA_CONFIG"))
    named = {name: environ.get(f"ORCA_HTTP__{name.upper()}") for name in settings}
    settings |= {name: value for name, value in named.items() if value is not None}
    settings |= {name: flags[name] for name in settings if name in flags}
    host, port = str(settings["host"]).strip(), str(settings["port"]).strip()
    if not host:
        raise ValueError("http.host is empty")
    if not port.isascii() or not port.isdecimal() or int(port) not in _PORTS:
        raise ValueError(f"http.port is {port!r}, not a port number from 1 to 65535")
    return Address(_EVERY_ADDRESS.get(host, host), int(port))


def ask(path: str, address: Address, seconds: float = SECONDS) -> tuple[bool, str]:
    """Request `path`; returns whether the status was 200, and the body.

    Raises:
        OSError: the daemon did not answer within `seconds`.
        ValueError: the answer is not HTTP.
    """
    until = time.monotonic() + seconds
    with socket.create_connection(address, timeout=seconds) as connection:
        request = f"GET {path} HTTP/1.0\r\nHost: {address.host}\r\n\r\n"
        connection.sendall(request.encode("ascii"))
        answer = b"".join(_received(connection, until))
    status, _, rest = answer.partition(b"\r\n")
    words = status.split(maxsplit=2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/"):  # noqa: PLR2004  version and code
        raise ValueError("the answer is not HTTP")
    return words[1] == b"200", rest.partition(b"\r\n\r\n")[2].decode(errors="replace")


def main() -> None:
    """Ask, print, exit."""
    path = sys.argv[1] if len(sys.argv) > 1 else "/livez"
    try:
        address = where()
        try:
            alive, text = ask(path, address)
        except (OSError, ValueError) as error:
            alive, text = False, f"{address.host} port {address.port}: {error}"
    except (OSError, ValueError) as error:
        alive, text = False, str(error)
    output = text.strip() or f"{path}: no text"
    print(output.encode("ascii", "backslashreplace").decode())  # noqa: T201  runtimes keep a check's output
    sys.exit(0 if alive else 1)


def _received(connection: socket.socket, until: float) -> Iterator[bytes]:
    left = _MOST_BYTES
    while left > 0:
        connection.settimeout(max(0.001, until - time.monotonic()))
        if not (part := connection.recv(65_536)):
            return
        left -= len(part)
        yield part


def _of_file(named: str | None) -> dict[str, object]:
    """Host and port of the settings file, if it sets them."""
    try:
        text = Path(named or _FILE).read_text("utf-8")
    except FileNotFoundError:
        if named:
            raise
        return {}
    import tomllib

    section = tomllib.loads(text).get("http", {})
    if not isinstance(section, dict):
        raise ValueError("http in the settings file is not a section")  # noqa: TRY004  a mistake in the file
    return {name: section[name] for name in ("host", "port") if name in section}


def _flags(environ: Mapping[str, str], processes: Path) -> dict[str, str]:
    """The flags of the daemon that runs here with our settings; empty if its process is not visible."""
    found: dict[str, str] = {}
    numbers = [int(each.name) for each in processes.glob("[0-9]*")] if processes.is_dir() else []
    for number in sorted(numbers):
        place = processes / str(number)
        try:
            words = _words(place / "cmdline")
            started = _arguments(words)
            if started is not None and _like_us(place, environ):
                found = _parsed(started)
        except OSError:  # the process has ended, or belongs to another user
            continue
    return found


def _words(file: Path) -> list[str]:
    return file.read_bytes().decode(errors="replace").split("\0")[:-1]


def _arguments(words: Sequence[str]) -> Sequence[str] | None:
    """The arguments after `orca-daemon run`, also behind those of an init; None for another program."""
    for index, (program, command) in enumerate(pairwise(words)):
        module = program == "orca_daemon" and index > 0 and words[index - 1] == "-m"
        if command == "run" and (module or Path(program).name == "orca-daemon"):
            return words[index + 2 :]
    return None


def _like_us(place: Path, environ: Mapping[str, str]) -> bool:
    theirs = dict(word.partition("=")[::2] for word in _words(place / "environ"))
    same = all(theirs.get(name) == environ.get(name) for name in _VARIABLES)
    return same and (place / "cwd").readlink() == Path.cwd()


def _parsed(words: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word, following in zip(words, [*words[1:], ""], strict=False):
        flag, joined, value = word.partition("=")
        if flag in _FLAGS:
            found[_FLAGS[flag]] = value if joined else following
    return found


if __name__ == "__main__":
    main()
