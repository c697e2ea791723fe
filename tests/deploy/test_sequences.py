"""The documented commands, run in their order on models: each finds what it needs at its step."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from orca_daemon.cli import app
from tests.deploy.account import Account
from tests.deploy.cluster import Cluster, MissingError, UnknownCommandError, rendered
from tests.deploy.commands import MANIFESTS, PAGES, ROOT, Command, blocks, comments, parsed, sections, spans
from tests.deploy.machine import Machine

DEPLOY = sections(ROOT / "docs/deploy.md")
KUBERNETES, EACH_VERSION = blocks(DEPLOY["Kubernetes"])
(ECS,) = blocks(DEPLOY["ECS"])
(PYTHON,), (CONTAINER,), (SYSTEMD,) = (
    blocks(DEPLOY[name]) for name in ("From Python", "Container", "systemd")
)
LATER = ("Commands where the daemon runs", "Pausing")


def cluster(*sequences: Sequence[Command]) -> Cluster:
    made = Cluster()
    for command in chain(*sequences):
        made.kubectl(command)
    return made


def account(commands: Sequence[Command]) -> Account:
    made = Account()
    for command in commands:
        made.aws(command)
    return made


def machine(*sequences: Sequence[Command]) -> Machine:
    made = Machine()
    for command in chain(*sequences):
        made.run(command)
    return made


def runners() -> dict[str, Callable[[Command], None]]:
    """What runs a command after everything was installed, by the command's first word."""
    installed = machine(PYTHON, CONTAINER, SYSTEMD)
    return {
        "kubectl": cluster(KUBERNETES, EACH_VERSION, [PRODUCTION]).kubectl,
        "aws": account(ECS).aws,
        "docker": installed.run,
        "systemctl": installed.run,
    }


PRODUCTION = ["kubectl", "apply", "-k", "deploy/k8s/overlays/production"]
AFTER: list[Command] = [
    *(command for text in DEPLOY.values() for command in spans(text)),
    *(command for name in LATER for block in blocks(DEPLOY[name]) for command in block),
    *(command for manifest in MANIFESTS for command in comments(manifest)),
]
"""Commands of sentences, tables and comments: they are run on what the sections install."""
ELSEWHERE = [
    command
    for page in PAGES
    if page.name != "deploy.md"
    for command in chain(spans(page.read_text("utf-8")), *blocks(page.read_text("utf-8")))
]
"""Commands of all other pages."""


def test_kubernetes_has_what_each_step_needs_for_the_first_version_and_for_the_next() -> None:
    cluster(KUBERNETES, EACH_VERSION, EACH_VERSION)


@pytest.mark.parametrize("overlay", ["minimal", "production"])
def test_every_overlay_finds_what_it_refers_to(overlay: str) -> None:
    cluster(KUBERNETES, EACH_VERSION[:-2], [["kubectl", "apply", "-k", f"deploy/k8s/overlays/{overlay}"]])


def test_ecs_has_what_each_step_needs() -> None:
    assert ("service", "orca-daemon") in account(ECS).made


@pytest.mark.parametrize("steps", [PYTHON, CONTAINER, SYSTEMD], ids=["python", "container", "systemd"])
def test_a_machine_has_what_each_step_needs(steps: list[Command]) -> None:
    machine(steps)


def test_commands_in_sentences_tables_and_comments_find_what_they_need() -> None:
    run = runners()
    for command in AFTER:
        run[command[0]](command)


def test_commands_of_other_pages_find_what_they_need() -> None:
    run = runners()
    for command in (each for each in ELSEWHERE if each[0] in run):
        # A page may also name what the models do not know, such as queues and triggers of the reader's own.
        with suppress(UnknownCommandError):
            run[command[0]](command)


def inner(command: Command) -> Command:
    """The arguments of orca-daemon in a command that runs it in a container or a task; empty without."""
    if "--overrides" in command and command[-1].startswith("{"):
        (override,) = json.loads(command[-1])["containerOverrides"]
        return list(override["command"])
    if command[0] != "orca-daemon" and not {"exec", "run"} & set(command):
        return []
    positions = [index for index, word in enumerate(command) if word == "orca-daemon"]
    return command[positions[-1] + 1 :] if positions else []


INNER = [words for words in map(inner, [*CONTAINER, *ECS, *SYSTEMD, *AFTER]) if words]


@pytest.mark.parametrize("words", INNER, ids=[f"{number}-{words[0]}" for number, words in enumerate(INNER)])
def test_orca_daemon_accepts_what_it_is_given_in_a_container(words: Command) -> None:
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]

    assert command.make_context("orca-daemon", rest) is not None


def test_the_roles_of_the_task_are_named_in_the_text() -> None:
    task = json.loads((ROOT / "deploy/ecs/task-definition.json").read_text("utf-8"))
    roles = [task[name].rpartition("/")[2] for name in ("taskRoleArn", "executionRoleArn")]
    assert [role for role in roles if f"`{role}`" not in DEPLOY["ECS"]] == []


def test_a_task_runs_in_the_network_of_the_service() -> None:
    service = json.loads((ROOT / "deploy/ecs/service.json").read_text("utf-8"))
    network = json.loads((ROOT / "deploy/ecs/network.json").read_text("utf-8"))
    assert network == service["networkConfiguration"]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
@pytest.mark.parametrize("folder", ["migration", "overlays/minimal", "overlays/production"])
def test_the_model_renders_the_objects_that_kustomize_renders(folder: str) -> None:
    place = ROOT / "deploy/k8s" / folder
    program = ["kubectl", "kustomize", str(place)]
    made = subprocess.run(program, check=True, capture_output=True, text=True).stdout

    assert {identity(each) for each in rendered(place)} == {
        identity(each) for each in yaml.safe_load_all(made)
    }


def identity(made: dict[str, object]) -> tuple[object, ...]:
    """Kind, namespace, name without the hash of a generated map, and labels."""
    meta = made["metadata"]
    assert isinstance(meta, dict)
    name = str(meta["name"])
    if made["kind"] == "ConfigMap":
        name = "orca-daemon"
    return made["kind"], meta["namespace"], name, *sorted(meta.get("labels", {}).items())


def faults() -> dict[str, list[Command]]:
    """Sequences with a step left out or moved, each as a reader might meet it."""
    first, version = KUBERNETES, EACH_VERSION
    account_of_overlay = list(parsed("kubectl -n orca apply -f deploy/k8s/examples/export-cronjob.yaml"))
    return {
        "no namespace": [*first[1:], *version],
        "no secret of the owner": [*first[:1], *version],
        "another key in the secret": [
            first[0],
            *parsed("kubectl -n orca create secret generic orca-daemon-owner --from-literal=uri=x"),
            *version,
        ],
        "no job to wait for": [*first, version[2]],
        "a service account of the overlay, before it": [*first, *account_of_overlay],
        "no deployment to ask": [*first, *version[:3], version[4]],
        "another namespace": [*first, *parsed("kubectl -n other create secret generic s --from-literal=a=b")],
    }


@pytest.mark.parametrize("sequence", faults().values(), ids=faults().keys())
def test_a_step_without_what_it_needs_is_found(sequence: list[Command]) -> None:
    with pytest.raises(MissingError):
        cluster(sequence)


def test_a_job_that_would_be_changed_is_found() -> None:
    with pytest.raises(AssertionError, match="a job cannot be changed"):
        cluster(KUBERNETES, EACH_VERSION, EACH_VERSION[1:])


@pytest.mark.parametrize("left_out", range(3), ids=["no cluster", "no log group", "no task definition"])
def test_a_step_of_ecs_without_what_it_needs_is_found(left_out: int) -> None:
    with pytest.raises(MissingError):
        account([*ECS[:left_out], *ECS[left_out + 1 :]])


@pytest.mark.parametrize("left_out", range(9), ids=[" ".join(step[:4]) for step in SYSTEMD[:9]])
def test_a_step_of_systemd_that_is_left_out_is_missed(left_out: int) -> None:
    with pytest.raises(MissingError):
        machine([*SYSTEMD[:left_out], *SYSTEMD[left_out + 1 :]])


def test_manifests_that_kubernetes_gets_are_each_in_a_sequence() -> None:
    named = {
        path
        for command in [*KUBERNETES, *EACH_VERSION, PRODUCTION, *AFTER]
        if command[0] == "kubectl"
        for path in command
        if path.startswith("deploy/k8s/")
    }
    roots: set[Path] = {ROOT / name for name in named}
    reached = {file for root in roots for file in _files(root)}
    manifests = {file for file in (ROOT / "deploy/k8s").rglob("*.yaml") if file.name != "kustomization.yaml"}
    assert manifests - reached == set()


def _files(place: Path) -> set[Path]:
    if place.is_file():
        return {place.resolve()}
    made = yaml.safe_load((place / "kustomization.yaml").read_text("utf-8"))
    below = [*made.get("resources", []), *made.get("components", [])]
    return {file for name in below for file in _files(place / name)}
