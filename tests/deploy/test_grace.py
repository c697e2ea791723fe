"""Every platform lets the daemon wait in its start, and gives it more time to stop than its drain takes."""

import configparser
import json
import re
from pathlib import Path
from typing import Any

import yaml

from orca_daemon.console.server import GRACE
from orca_daemon.ops.systemd import START_SECONDS
from orca_daemon.settings import Settings

ROOT = Path(__file__).parents[2]
LATEST_POLL = 5.0
"""Seconds after the drain for last settlements and closing."""


def load(path: str) -> Any:
    text = (ROOT / path).read_text("utf-8")
    return json.loads(text) if path.endswith(".json") else yaml.safe_load(text)


def drain(environment: dict[str, str]) -> float:
    return float(environment["ORCA_ENGINE__DRAIN_SECONDS"])


def named(pairs: list[dict[str, str]]) -> dict[str, str]:
    return {pair["name"]: pair["value"] for pair in pairs if "value" in pair}


def test_kubernetes_waits_for_the_drain() -> None:
    pod = load("deploy/k8s/base/deployment.yaml")["spec"]["template"]["spec"]

    assert pod["terminationGracePeriodSeconds"] >= drain(named(pod["containers"][0]["env"])) + LATEST_POLL


def test_ecs_waits_for_the_drain() -> None:
    container = load("deploy/ecs/task-definition.json")["containerDefinitions"][0]

    assert container["stopTimeout"] >= drain(named(container["environment"])) + LATEST_POLL
    assert container["stopTimeout"] <= 120, "the most that Fargate grants"


def test_compose_waits_for_the_drain() -> None:
    daemon = load("compose.yaml")["services"]["daemon"]

    assert float(daemon["stop_grace_period"].rstrip("s")) >= drain(daemon["environment"]) + LATEST_POLL


def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep case
    parser.read(ROOT / "deploy/systemd/orca-daemon.service")
    return parser["Service"]


def test_systemd_waits_for_the_drain() -> None:
    assert float(unit()["TimeoutStopSec"]) >= Settings().engine.drain_seconds + LATEST_POLL
    assert unit()["RestartPreventExitStatus"] == "78"
    assert unit()["Type"] == "notify"


def test_systemd_starts_with_the_time_that_the_daemon_asks_for_again_while_it_waits() -> None:
    assert float(unit()["TimeoutStartSec"]) == START_SECONDS


def test_no_probe_that_restarts_a_container_asks_for_readiness() -> None:
    pod = load("deploy/k8s/base/deployment.yaml")["spec"]["template"]["spec"]
    ecs = load("deploy/ecs/task-definition.json")["containerDefinitions"][0]["healthCheck"]["command"]
    (image,) = re.findall(
        r"^HEALTHCHECK .*\\\n +CMD (.+)$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE
    )

    assert [
        pod["containers"][0][probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe")
    ] == [
        "/livez",
        "/livez",
    ]
    # Without a path, the probe asks for /livez.
    assert ecs[1:] == json.loads(image)
    assert ecs[-1] == "orca_daemon.ops.probe"


def test_every_platform_lets_the_console_finish_its_answers() -> None:
    pod = load("deploy/k8s/components/console/deployment.yaml")["spec"]["template"]["spec"]
    task = load("deploy/ecs/console-task-definition.json")["containerDefinitions"][0]
    text = (ROOT / "deploy/systemd/orca-daemon-console.service").read_text("utf-8")
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)

    assert (
        min(pod["terminationGracePeriodSeconds"], task["stopTimeout"], float(seconds)) >= GRACE + LATEST_POLL
    )
    assert "RestartPreventExitStatus=78\n" in text
