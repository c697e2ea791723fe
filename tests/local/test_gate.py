"""The gate in front of moto: requests run in parallel, and a snapshot is taken while none runs."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

from orca_daemon.local.gate import RequestGate

PATIENCE = 30.0


class Application:
    """A WSGI application whose request lasts until the test releases it."""

    def __init__(self) -> None:
        self.entered, self.released = Event(), Event()

    def __call__(self, _environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
        self.entered.set()
        assert self.released.wait(PATIENCE)
        return []


def asked(gate: RequestGate, method: str = "PUT") -> None:
    gate({"REQUEST_METHOD": method}, lambda *_: lambda _: None)


def test_shut_waits_for_requests_in_progress_and_holds_new_ones_back() -> None:
    application = Application()
    gate = RequestGate(application)
    with ThreadPoolExecutor(2) as pool:
        inside = pool.submit(asked, gate)
        assert application.entered.wait(PATIENCE)
        with gate.shut(patience=0) as at_rest:
            assert not at_rest
        application.released.set()
        with gate.shut(PATIENCE) as at_rest:
            assert (at_rest, inside.done() or inside.result(PATIENCE) is None) == (True, True)
            application.entered.clear()
            outside = pool.submit(asked, gate)
            assert not application.entered.wait(0.05)
        outside.result(PATIENCE)
        assert application.entered.is_set()


def test_only_requests_that_write_set_changed() -> None:
    application = Application()
    application.released.set()
    gate = RequestGate(application)
    for method in ("GET", "HEAD"):
        asked(gate, method)
    assert not gate.changed
    asked(gate, "DELETE")
    assert gate.changed
