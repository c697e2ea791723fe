"""Manifests: valid for AWS and Docker, with settings that the daemon knows and without root."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore.validate import ParamValidator

from orca_daemon.settings import ORCA_NAMES, STANDARD_QUEUES, load
from tests.deploy.cluster import pod_template

ROOT = Path(__file__).parents[2]
ECS = ROOT / "deploy/ecs"
K8S = ROOT / "deploy/k8s"
UNIT = ROOT / "deploy/systemd/orca-daemon.service"


def kubernetes_settings(overlay: str) -> dict[str, str]:
    pod = yaml.safe_load((K8S / "base/deployment.yaml").read_text("utf-8"))["spec"]["template"]["spec"]
    own = {each["name"]: each["value"] for each in pod["containers"][0]["env"]}
    kustomization = yaml.safe_load((K8S / overlay / "kustomization.yaml").read_text("utf-8"))
    return own | dict(each.split("=", 1) for each in kustomization["configMapGenerator"][0]["literals"])


def ecs_settings() -> dict[str, str]:
    task = json.loads((ECS / "task-definition.json").read_text("utf-8"))
    return {each["name"]: each["value"] for each in task["containerDefinitions"][0]["environment"]}


def compose_settings() -> dict[str, str]:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    environment: dict[str, str] = compose["services"]["daemon"]["environment"]
    return environment


def systemd_settings() -> dict[str, str]:
    lines = (ROOT / "deploy/systemd/environment").read_text("utf-8").splitlines()
    unit = [
        assignment
        for line in UNIT.read_text("utf-8").splitlines()
        if line.startswith("Environment=")
        for assignment in line.removeprefix("Environment=").split()
    ]
    return dict(line.split("=", 1) for line in [*lines, *unit] if "=" in line and not line.startswith("#"))


def console_kubernetes_settings() -> dict[str, str]:
    deployment = yaml.safe_load((K8S / "components/console/deployment.yaml").read_text("utf-8"))
    own = {
        each["name"]: each["value"] for each in deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    shared = kubernetes_settings("overlays/production")
    return shared | own | {"ORCA_CONSOLE__TOKENS__ALICE": "of the secret"}


def console_ecs_settings() -> dict[str, str]:
    task = json.loads((ECS / "console-task-definition.json").read_text("utf-8"))
    return {each["name"]: each["value"] for each in task["containerDefinitions"][0]["environment"]}


def console_systemd_settings() -> dict[str, str]:
    lines = (ROOT / "deploy/systemd/console").read_text("utf-8").splitlines()
    own = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return systemd_settings() | own


PLATFORMS = {
    "k8s minimal": kubernetes_settings("overlays/minimal"),
    "k8s production": kubernetes_settings("overlays/production"),
    "ecs": ecs_settings(),
    "compose": compose_settings(),
    "systemd": systemd_settings(),
    "console on k8s": console_kubernetes_settings(),
    "console on ecs": console_ecs_settings(),
    "console with systemd": console_systemd_settings(),
}


@pytest.mark.parametrize("environment", PLATFORMS.values(), ids=PLATFORMS.keys())
def test_the_settings_of_a_platform_are_settings(environment: dict[str, str], tmp_path: Path) -> None:
    empty = tmp_path / "empty.toml"
    empty.touch()
    settings = load(empty, environment)

    assert set(STANDARD_QUEUES) == set(settings.bound)
    assert settings.database.configured
    foreign = {name for name in environment if not name.startswith(("ORCA_", "AWS_", "PYTHON"))}
    assert foreign <= ORCA_NAMES.keys()


@pytest.mark.parametrize(
    ("file", "operation"),
    [
        ("task-definition.json", "RegisterTaskDefinition"),
        ("service.json", "CreateService"),
        ("console-task-definition.json", "RegisterTaskDefinition"),
        ("console-service.json", "CreateService"),
    ],
)
def test_ecs_accepts_the_shape(file: str, operation: str) -> None:
    shape = botocore.session.get_session().get_service_model("ecs").operation_model(operation).input_shape
    assert shape is not None
    report = ParamValidator().validate(json.loads((ECS / file).read_text("utf-8")), shape)

    assert not report.has_errors(), report.generate_report()


def test_ecs_accepts_the_overrides_of_the_migration() -> None:
    model = botocore.session.get_session().get_service_model("ecs")
    overrides = json.loads((ECS / "migration-overrides.json").read_text("utf-8"))

    report = ParamValidator().validate(overrides, model.shape_for("TaskOverride"))

    assert not report.has_errors(), report.generate_report()


def containers() -> list[Any]:
    owners = (
        "base/deployment.yaml",
        "components/console/deployment.yaml",
        "migration/job.yaml",
        "examples/export-cronjob.yaml",
    )
    templates = [pod_template(yaml.safe_load((K8S / name).read_text("utf-8"))) for name in owners]
    pods = [template["spec"] for template in templates if template]
    # The namespace enforces the profile "restricted".
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["enableServiceLinks"] is False
        assert all("sizeLimit" in volume["emptyDir"] for volume in pod["volumes"])
    return [container for pod in pods for container in pod["containers"]]


@pytest.mark.parametrize("container", containers())
def test_a_container_has_few_rights(container: dict[str, Any]) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("platform", [name for name in PLATFORMS if name.startswith("console")])
def test_a_console_that_others_reach_asks_for_tokens(platform: str) -> None:
    console = load(Path("/dev/null"), PLATFORMS[platform]).console
    assert console.tokens
    assert not console.actions
    assert console.on_loopback == ("systemd" in platform)
    assert console.address[1] == 9465


def test_the_minimal_deployment_has_no_console() -> None:
    assert "console" not in (K8S / "overlays/minimal/kustomization.yaml").read_text("utf-8")


def test_the_pod_has_memory_for_the_child_of_a_comparison() -> None:
    pod = yaml.safe_load((K8S / "base/deployment.yaml").read_text("utf-8"))["spec"]["template"]["spec"]
    child = {each["name"]: each["value"] for each in pod["containers"][0]["env"]}[
        "ORCA_RECONCILE__MEMORY_MIB"
    ]
    limit = int(pod["containers"][0]["resources"]["limits"]["memory"].removesuffix("Mi"))

    # The child needs more than DuckDB's limit: by measurement a fifth more, plus the interpreter.
    assert limit >= int(child) * 1.2 + 1024


def test_the_image_is_pinned_and_runs_the_daemon_itself() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")

    assert re.search(r"^ARG PYTHON_IMAGE=\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${PYTHON_IMAGE}", "build", "scratch"}
    assert re.search(r'^ENTRYPOINT \["', text, re.MULTILINE)
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert "curl" not in text


def test_the_builder_gets_every_file_of_the_image() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    sent = (ROOT / ".dockerignore").read_text("utf-8").splitlines()

    assert {f"!{path}" for path in copied} <= set(sent)
    assert all((ROOT / path).exists() for path in copied)


def test_the_bill_of_materials_names_every_locked_library() -> None:
    import runpy

    bill = runpy.run_path(str(ROOT / "deploy/image/sbom.py"))["bill"]()
    locked = re.findall(
        r"^([a-z0-9-]+)==([^ ;]+) \\$", (ROOT / "requirements/run.txt").read_text(), re.MULTILINE
    )

    assert {f"pkg:pypi/{name}@{version}" for name, version in locked} <= {
        component["purl"] for component in bill["components"]
    }


def test_the_bill_of_materials_has_the_version_of_the_vendored_script() -> None:
    import runpy

    named = runpy.run_path(str(ROOT / "deploy/image/sbom.py"))["VENDORED"]
    version, licence = named["htmx.org"]
    static = ROOT / "orca_daemon/console/static"

    assert f'version:"{version}"' in (static / "htmx.min.js").read_text("utf-8")
    assert licence == "0BSD"
    assert "Zero-Clause BSD" in (static / "htmx.LICENSE.txt").read_text("utf-8")
    # The image is built without deploy/supply, so its script names the same parts again.
    shipped = runpy.run_path(str(ROOT / "deploy/supply/parts.py"))["vendored"]()
    assert named == {part.name: (part.version, part.licence) for part in shipped}


def test_the_health_check_of_postgres_uses_the_address_of_the_migration() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
    asked = services["postgres"]["healthcheck"]["test"]

    # During its initialisation the image of Postgres answers on the socket only.
    assert asked[asked.index("-h") + 1] == "127.0.0.1"


def test_the_services_of_compose_find_what_they_refer_to() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    services = compose["services"]
    for service in services.values():
        for name, wanted in service.get("depends_on", {}).items():
            assert name in services
            assert wanted["condition"] != "service_healthy" or "healthcheck" in services[name]
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in compose["volumes"]
        hosts = re.findall(
            r"//(?:[^@/]*@)?([a-z]+):", " ".join(map(str, service.get("environment", {}).values()))
        )
        assert set(hosts) <= services.keys()


def test_the_unit_keeps_proc_stat_for_process_metrics() -> None:
    assert "ProcSubset=pid" not in UNIT.read_text("utf-8").splitlines()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("name", ["orca-daemon.service", "orca-daemon-console.service"])
def test_systemd_accepts_the_unit_and_rates_it_well(tmp_path: Path, name: str) -> None:
    # The daemon is not installed at the path of the unit.
    unit, text = tmp_path / name, UNIT.with_name(name).read_text("utf-8")
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))

    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=True)
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit],
        capture_output=True,
        text=True,
        check=False,
    )

    assert verified.stderr == ""
    assert rated.returncode == 0, rated.stdout.splitlines()[-1]
