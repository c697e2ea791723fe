"""The Terraform module: its tables match its variables, and what it takes from its neighbours is there."""

import json
import re
import runpy
from pathlib import Path

import pytest

from orca_daemon import settings

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "deploy/terraform"
TEXT = "\n".join(path.read_text("utf-8") for path in sorted(MODULE.glob("*.tf")))


def test_the_tables_of_variables_and_outputs_are_up_to_date() -> None:
    text = (MODULE / "README.md").read_text("utf-8")

    assert runpy.run_path(str(MODULE / "table.py"))["filled"](text) == text, "./dev docs"


def test_every_variable_is_used_and_every_used_one_is_declared() -> None:
    declared = set(re.findall(r'^variable "(\w+)"', TEXT, re.MULTILINE))

    assert declared == set(re.findall(r"\bvar\.(\w+)", TEXT))


@pytest.mark.parametrize(
    ("file", "name"), [("policy.json", "resources"), ("console-policy.json", "console_resources")]
)
def test_the_module_has_resources_for_every_statement_of_the_policies(file: str, name: str) -> None:
    statements = json.loads((ROOT / "deploy/iam" / file).read_text("utf-8"))["Statement"]
    block = TEXT.partition(f"  {name} = {{\n")[2].partition("\n  }\n")[0]

    assert {statement["Sid"] for statement in statements} <= set(
        re.findall(r"^    (\w+) +=", block, re.MULTILINE)
    )


def test_the_example_sets_every_required_variable_and_no_other_name() -> None:
    example = (MODULE / "example/main.tf").read_text("utf-8").partition('module "orca_daemon" {')[2]
    given = set(re.findall(r"^  (\w+) +=", example.partition("\n}\n")[0], re.MULTILINE)) - {"source"}
    blocks = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', TEXT, re.MULTILINE | re.DOTALL)
    required = {name for name, body in blocks if not re.search(r"^  default +=", body, re.MULTILINE)}

    assert required <= given <= {name for name, _ in blocks}


def test_the_environment_of_the_tasks_is_made_of_settings(tmp_path: Path) -> None:
    (tmp_path / "none.toml").touch()
    names = set(re.findall(r"\b(ORCA_[A-Z]+__[A-Z_]+[A-Z])\b", TEXT))
    values = {
        "ORCA_CONSOLE__ACTIONS": "true",
        "ORCA_CONSOLE__ALLOWED_HOSTS": "orca.example.org",
        "ORCA_CONSOLE__LISTEN": "0.0.0.0:9465",
        "ORCA_CONSOLE__TOKENS": '{"ops": "secret:arn:aws:secretsmanager:us-west-2:123456789012:secret:ops"}',
        "ORCA_CONSOLE__TRUSTED_PROXIES": "10.0.0.0/8",
        "ORCA_COPIES__SOURCES": "archive,archive-2",
        "ORCA_COPIES__TARGETS": "protected",
        "ORCA_ENGINE__HELD": "500",
        "ORCA_EXPORT__BUCKET": "exports",
        "ORCA_HTTP__PORT": "9465",
        "ORCA_METRICS__DEPLOYMENT": "prefix",
        "ORCA_METRICS__EMF": "true",
        "ORCA_METRICS__NAMESPACE": "OrcaDaemon",
        "ORCA_RECONCILE__SOURCES": "archive,reports",
        "ORCA_RECONCILE__STAGE": "s3://stage/comparisons",
        "ORCA_QUEUES__NAME__URL": "https://sqs.us-west-2.amazonaws.com/123456789012/other",
    }

    assert names | {"ORCA_QUEUES__NAME__URL"} == values.keys()
    settings.load(tmp_path / "none.toml", values)


def test_the_queues_of_the_module_are_those_of_orca(tmp_path: Path) -> None:
    (tmp_path / "none.toml").touch()
    variables = dict(re.findall(r'^    (\w+) += "(\w+_URL)"$', TEXT, re.MULTILINE))
    urls = {
        name: f"https://sqs.us-west-2.amazonaws.com/123456789012/{queue}.fifo"
        for queue, name in variables.items()
    }
    bound = settings.load(tmp_path / "none.toml", {**urls, "DATABASE_URL": "postgresql://localhost/a"}).bound

    assert {queue: str(bound[queue].url).rpartition("/")[2] for queue in settings.STANDARD_QUEUES} == {
        queue: f"{queue}.fifo" for queue in variables
    }
