"""The Terraform module: its tables match its variables, and what it takes from its neighbours is there."""

import json
import re
import runpy
from pathlib import Path

import pytest

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
