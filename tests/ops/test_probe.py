"""The health check of containers: it reads the daemon's address from settings, environment and flags."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from orca_daemon.ops.probe import Address, where

DAEMON = """
import sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(self.path.encode())
    def log_message(self, *_): pass
server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a directory without settings."""
    monkeypatch.chdir(tmp_path)


def probe(environment: Mapping[str, str] | None = None, *arguments: str) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "orca_daemon.ops.probe", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stderr == ""
    return ended.returncode, ended.stdout


def processes(folder: Path, *started: tuple[str, Mapping[str, str]]) -> Path:
    """A directory like /proc, with processes that were started here by these command lines."""
    for number, (line, environment) in enumerate(started, 1):
        place = folder / str(number)
        place.mkdir(parents=True)
        (place / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in line.split()))
        (place / "environ").write_bytes(b"".join(f"{k}={v}\0".encode() for k, v in environment.items()))
        (place / "cwd").symlink_to(Path.cwd())
    return folder


NOBODY = Path("/nonexistent")
EVERY = "0.0.0.0"  # noqa: S104  nothing is bound to it here
FILE = {"ORCA_CONFIG": "settings.toml"}


@pytest.mark.parametrize(
    ("environment", "file", "expected"),
    [
        pytest.param({}, "", ("127.0.0.1", 9464), id="nothing"),
        pytest.param({"ORCA_HTTP__PORT": "1"}, "", ("127.0.0.1", 1), id="environment"),
        pytest.param({"ORCA_HTTP__PORT": " 1\n"}, "", ("127.0.0.1", 1), id="newline"),
        pytest.param({"ORCA_HTTP__HOST": "::1"}, "", ("::1", 9464), id="IPv6"),
        pytest.param({"ORCA_HTTP__HOST": "::"}, "", ("::1", 9464), id="every IPv6"),
        pytest.param({"ORCA_HTTP__HOST": EVERY}, "", ("127.0.0.1", 9464), id="every IPv4"),
        pytest.param({}, "[http]\nport = 2", ("127.0.0.1", 2), id="file"),
        pytest.param({}, '[http]\nhost = "h"\nport = "2"', ("h", 2), id="file, text"),
        pytest.param({"ORCA_HTTP__PORT": "1"}, "[http]\nport = 2", ("127.0.0.1", 1), id="both"),
    ],
)
def test_settings_name_the_address(environment: dict[str, str], file: str, expected: Address) -> None:
    Path("settings.toml").write_text(file)
    assert where(FILE | environment, NOBODY) == expected


def test_the_default_file_is_read() -> None:
    Path("config").mkdir()
    Path("config/orca-daemon.toml").write_text("[http]\nport = 3")
    assert where({}, NOBODY) == ("127.0.0.1", 3)


@pytest.mark.parametrize(
    "line",
    [
        "/opt/python -m orca_daemon run --port 5 --host ::",
        "/opt/python /opt/bin/orca-daemon run --host=:: --port=5",
        "/sbin/docker-init -- /opt/python -m orca_daemon run --port 5 --host ::",
        "/opt/python -m orca_daemon run -c flags.toml",
        "/opt/python -m orca_daemon run --config=flags.toml",
    ],
    ids=["module", "script", "init", "file", "file, joined"],
)
def test_flags_of_the_daemon_win(tmp_path: Path, line: str) -> None:
    Path("flags.toml").write_text('[http]\nhost = "::"\nport = 5')
    assert where({}, processes(tmp_path / "proc", (line, {}))) == ("::1", 5)


@pytest.mark.parametrize(
    ("line", "environment"),
    [
        ("/opt/python -m orca_daemon run --port 5", {"ORCA_HTTP__PORT": "6"}),
        ("/opt/python -m orca_daemon run --port 5", {"ORCA_CONFIG": "another.toml"}),
        ("/opt/python -m orca_daemon check --port 5", {}),
        ("/opt/other run --port 5", {}),
        ("", {}),
    ],
    ids=["another port", "another file", "another command", "another program", "a kernel's thread"],
)
def test_flags_of_other_daemons_are_ignored(tmp_path: Path, line: str, environment: dict[str, str]) -> None:
    assert where({}, processes(tmp_path / "proc", (line, environment))) == ("127.0.0.1", 9464)


def test_the_flags_of_a_real_process_are_found(tmp_path: Path) -> None:
    (tmp_path / "orca-daemon").write_text(DAEMON)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        taken_port = taken.getsockname()[1]
        environment = {"ORCA_HTTP__PORT": str(taken_port)}  # no daemon listens there
        process = subprocess.Popen(
            [sys.executable, "orca-daemon", "run", "--port", "1"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        assert process.stdout
        process.stdout.readline()
        code, output = probe(environment)
        process.kill()
        process.communicate()
    assert (code, "port 1:" in output) == (1, True)


@pytest.fixture
def healthy() -> Iterator[str]:
    """The port of a server that answers 200 and the path."""
    with subprocess.Popen([sys.executable, "-c", DAEMON], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.kill()


def test_an_answer_of_200_is_healthy(healthy: str) -> None:
    assert probe({"ORCA_HTTP__PORT": healthy}) == (0, "/livez\n")
    assert probe({"ORCA_HTTP__PORT": healthy}, "/readyz") == (0, "/readyz\n")


@pytest.mark.parametrize(
    "environment",
    [
        {"ORCA_HTTP__PORT": ""},
        {"ORCA_HTTP__PORT": "http"},
        {"ORCA_HTTP__PORT": "0"},
        {"ORCA_HTTP__PORT": "70000"},
        {"ORCA_HTTP__PORT": "\u0662"},
        {"ORCA_HTTP__HOST": " "},
        {"ORCA_HTTP__HOST": "no such host"},
        {"ORCA_HTTP__HOST": "x" * 100},
        {"ORCA_CONFIG": "missing.toml"},
        {"ORCA_CONFIG": "broken.toml"},
        {"ORCA_CONFIG": "section.toml"},
        {"ORCA_CONFIG": "."},
        {"ORCA_HTTP__PORT": "1"},
    ],
    ids=[
        "empty port",
        "name",
        "any port",
        "too large",
        "other digits",
        "empty host",
        "no host",
        "long host",
        "no file",
        "broken file",
        "no section",
        "folder",
        "nobody there",
    ],
)
def test_an_error_is_printed_as_one_line(environment: dict[str, str]) -> None:
    Path("broken.toml").write_text("[http")
    Path("section.toml").write_text("http = 1")
    code, output = probe(environment)
    assert (code, len(output.splitlines())) == (1, 1)


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-OpenSSH_9.2\r\n", b"", b"\x15\x03\x01\x00\x02\x02\x46", b"HTTP/1.1 503 no\r\n\r\ndown\n"],
    ids=["SSH", "nothing", "TLS", "503"],
)
def test_any_answer_but_200_is_unhealthy(answer: bytes) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(1_000)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        code, output = probe({"ORCA_HTTP__PORT": str(server.getsockname()[1])})
        thread.join()
    assert (code, len(output.splitlines())) == (1, 1)
