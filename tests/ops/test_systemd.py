"""sd_notify, with a real socket."""

import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from orca_daemon.engine.state import EngineState, QueueState
from orca_daemon.ops.systemd import Notifier, summary, watch


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """The value of NOTIFY_SOCKET, and the socket of the service manager."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@orca-daemon-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name[1:] if name.startswith("@") else name)
        receiver.settimeout(5)
        yield name, receiver


def test_systemd_gets_each_state_in_order(manager: tuple[str, socket.socket]) -> None:
    name, receiver = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})

    notifier.ready()
    notifier.status("working:\n3 queues")
    notifier.reloading()
    notifier.stopping()

    reported = [receiver.recv(1000).decode() for _ in range(4)]
    assert reported[0] == "READY=1"
    assert reported[1] == "STATUS=working: 3 queues"
    assert reported[2].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert reported[3] == "STOPPING=1"


def test_without_a_listener_nothing_is_sent() -> None:
    assert not Notifier({}).ready()
    assert not Notifier({"NOTIFY_SOCKET": "/nonexistent/notify"}).ready()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_applies_only_to_the_process_that_it_names(
    environ: dict[str, str], seconds: float | None
) -> None:
    assert seconds == Notifier(environ).watchdog_seconds


async def test_the_watchdog_is_notified_while_the_process_is_live(manager: tuple[str, socket.socket]) -> None:
    import asyncio

    name, receiver = manager
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000"})
    task = asyncio.create_task(watch(notifier, tuple, EngineState))

    reported = {(await asyncio.to_thread(receiver.recv, 1000)).decode() for _ in range(3)}

    task.cancel()
    assert reported == {"WATCHDOG=1", "STATUS=starting: 0 queues, 0 messages in flight"}


def test_the_status_line_names_what_is_down() -> None:
    state = EngineState(
        started_at=1.0, queues=(QueueState(name="a", handler="a", held=3),), breakers={"postgres": 5.0}
    )

    assert summary(state) == "working: 1 queues, 3 messages in flight; down: postgres"
