"""How the console starts and stops, and what it refuses."""

import http.client
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import orca_daemon.console
from orca_daemon.cli import app
from orca_daemon.local.moto import CREDENTIALS, REGION
from orca_daemon.settings import SettingsError, load
from tests.console.conftest import ALICE, Console

NOWHERE = "postgresql://x@127.0.0.1:1/x"


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:9465", ("::1", 9465)),
        ("localhost:80", ("localhost", 80)),
        ("0.0.0.0:80", None),
        ("[::]:80", None),
        ("10.0.0.1:80", None),
    ],
    ids=["loopback", "loopback 6", "localhost", "all", "all 6", "private"],
)
def test_any_address_but_loopback_needs_a_token(listen: str, expected: tuple[str, int] | None) -> None:
    environment = {"ORCA_CONSOLE__LISTEN": listen}
    if expected:
        assert load(environ=environment, need_queue=False).console.address == expected
        return
    with pytest.raises(SettingsError, match=r"console\.listen .* is not loopback: set console\.tokens"):
        load(environ=environment, need_queue=False)
    with_token = {**environment, "ORCA_CONSOLE__TOKENS__ALICE": ALICE}
    assert not load(environ=with_token, need_queue=False).console.on_loopback


@pytest.mark.parametrize(
    "listen", ["9465", "example.org:80", "127.0.0.1:99999", "::1:80", "127.0.0.1:x", ":80"]
)
def test_an_address_is_a_number_and_a_port(listen: str) -> None:
    with pytest.raises(SettingsError, match=r"must be ADDRESS:PORT"):
        load(environ={"ORCA_CONSOLE__LISTEN": listen}, need_queue=False)


def test_a_console_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    # The import below makes another module of it: later tests shall patch the one that others have imported.
    monkeypatch.setattr(orca_daemon, "console", orca_daemon.console)
    for name in [name for name in sys.modules if name.startswith("orca_daemon.console")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = CliRunner().invoke(app, ["console"])
    assert result.exit_code == 78
    assert "pip install 'orca-daemon[console]'" in result.stderr


def test_tokens_are_hidden_in_the_printed_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCA_CONSOLE__TOKENS__ALICE", ALICE)
    result = CliRunner().invoke(app, ["run", "--print-config"])
    assert result.exit_code == 0
    assert "alice" in result.stdout
    assert ALICE not in result.output


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({}, "no database is configured"),
        ({"DATABASE_URL": NOWHERE, "ORCA_CONSOLE__LISTEN": "0.0.0.0:0"}, "is not loopback"),
        (
            {
                "DATABASE_URL": NOWHERE,
                "ORCA_CONSOLE__LISTEN": "192.0.2.1:0",
                "ORCA_CONSOLE__TOKENS__A": ALICE,
            },
            "cannot listen on 192.0.2.1:0",
        ),
    ],
    ids=["no database", "no token", "no such address"],
)
def test_it_exits_with_78_if_the_settings_are_wrong(environment: dict[str, str], reason: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orca_daemon", "console"],
        env={"AWS_REGION": REGION, **CREDENTIALS, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 78, done
    assert reason in done.stdout + done.stderr
    assert ALICE not in done.stdout + done.stderr


@pytest.mark.matrix
@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_it_stops_cleanly_by_a_signal_while_visitors_are_connected(
    own: Console, name: signal.Signals
) -> None:
    peer = http.client.HTTPConnection("127.0.0.1", own.port)
    peer.request("GET", "/")
    peer.getresponse().read()  # the connection stays open
    assert own.daemon._process is not None
    own.daemon._process.send_signal(name)
    assert own.daemon._process.wait(20) == 0
    assert own.events("console.stopped")
    peer.close()
