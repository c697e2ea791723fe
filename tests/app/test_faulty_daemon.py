"""What a restart would fix fails liveness, and systemd's watchdog is no longer notified."""

import json
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from tests.app.conftest import Running
from tests.waiting import until

INTERVAL = 0.1
"""Seconds between two notifications of the watchdog."""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket of the service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        yield receiver


@pytest.fixture
def extra_environment(manager: socket.socket) -> Mapping[str, str]:
    return {"NOTIFY_SOCKET": str(manager.getsockname()), "WATCHDOG_USEC": str(int(2 * INTERVAL * 1e6))}


@pytest.fixture
def program(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return ("-m", "tests.app.faulty_daemon", request.param)


def failing(running: Running, path: str) -> list[str]:
    """The checks that do not hold."""
    checks = map(json.loads, running.get(path)[1].splitlines())
    return [check["name"] for check in checks if not check["ok"]]


def received(manager: socket.socket) -> list[str]:
    """All notifications received up to now."""
    output = []
    manager.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            output.append(manager.recv(1000).decode())
    return output


@pytest.mark.parametrize("program", ["dead_poller"], indirect=True)
def test_a_dead_poller_fails_liveness_and_stops_watchdog_notifications(
    running: Running, manager: socket.socket
) -> None:
    until(lambda: failing(running, "/livez") == ["poller:status_update"])
    assert running.get("/livez")[0] == 503
    assert failing(running, "/readyz") == []
    assert {"READY=1", "WATCHDOG=1"} <= set(received(manager))

    manager.settimeout(10 * INTERVAL)
    with pytest.raises(TimeoutError):
        manager.recv(1000)
    running.signal(signal.SIGKILL)  # as systemd would; no drain ends while a receive does not


@pytest.mark.parametrize("program", ["busy_loop"], indirect=True)
def test_a_blocked_event_loop_fails_liveness(running: Running) -> None:
    until(lambda: "event_loop" in failing(running, "/livez"))
    assert failing(running, "/readyz") == []
