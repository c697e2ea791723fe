"""A real Prometheus scrapes the daemon, and evaluates our alerts and the dashboard's queries on it."""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from orca_daemon.local.ports import free_port
from tests.app.conftest import Running
from tests.waiting import until

DEPLOY = Path(__file__).parents[2] / "deploy"
PROMETHEUS = shutil.which("prometheus")
pytestmark = pytest.mark.outside


class Server:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **parameters: str) -> Any:
        with urlopen(f"{self.url}/api/v1/{path}?{urlencode(parameters)}", timeout=5) as answer:  # noqa: S310  our own
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found


@pytest.fixture
def prometheus(running: Running, tmp_path: Path) -> Iterator[Server]:
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus/alerts.yml")]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [running.url.removeprefix("http://")]}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    url = f"http://127.0.0.1:{free_port()}"
    arguments = {
        "config.file": tmp_path / "prometheus.yml",
        "storage.tsdb.path": tmp_path / "tsdb",
        "web.listen-address": url.removeprefix("http://"),
        "log.level": "error",
    }
    process = subprocess.Popen([str(PROMETHEUS), *(f"--{name}={value}" for name, value in arguments.items())])
    try:
        server = Server(url)
        until(lambda: answers(server) and server.query('up{job="orca-daemon"} == 1'))
        yield server
    finally:
        process.terminate()
        process.wait(10)


def answers(server: Server) -> bool:
    try:
        server.query("up")
    except OSError:
        return False
    return True


def test_every_alert_can_be_evaluated_and_a_pause_begins_one(running: Running, prometheus: Server) -> None:
    running.signal(signal.SIGUSR2)

    until(lambda: prometheus.query('ALERTS{alertname="OrcaDaemonPausedForLong", alertstate="pending"}'))

    groups = prometheus.ask("rules")["groups"]
    assert [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"] == []
    assert prometheus.query('ALERTS{alertstate="firing"}') == []


def test_every_panel_can_be_drawn(prometheus: Server) -> None:
    dashboard = json.loads((DEPLOY / "grafana/orca-daemon.json").read_text("utf-8"))
    rows = dashboard["panels"]
    panels = [*rows, *(panel for row in rows for panel in row.get("panels", []))]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    for variable in ("$instance", "$queue"):
        queries = [query.replace(variable, ".*") for query in queries]

    for query in queries:
        prometheus.query(query.replace("$__rate_interval", "1m"))  # raises if it is not PromQL

    assert prometheus.query('orca_daemon_messages_received_total{queue="status_update"}')
