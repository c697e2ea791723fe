"""The IAM policy, the list of calls and the code agree."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from orca_daemon.aws.operations import CONSOLE, OPERATIONS

ROOT = Path(__file__).parents[2]
SERVICES = ("s3", "secretsmanager", "sqs", "ssm", "stepfunctions", "sts")
NOT_THE_DAEMON = {"local", "producer"}
"""Packages that run on a laptop, or in other programs under their own roles."""
ENCRYPTION = {"kms:Decrypt", "kms:GenerateDataKey"}
"""Permissions that AWS checks if buckets, queues or secrets have a KMS key; the daemon calls none of them."""


def operations() -> dict[str, str]:
    session = botocore.session.get_session()
    return {
        xform_name(operation): f"{service}:{operation}"
        for service in SERVICES
        for operation in session.get_service_model(service).operation_names
    }


def names(tree: ast.AST) -> Iterator[str]:
    """Names that may be calls: `client.get_object`, or `call("get_object", …)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def called() -> dict[str, set[str]]:
    known = operations()
    calls: dict[str, set[str]] = {}
    for path in (ROOT / "orca_daemon").rglob("*.py"):
        where = path.relative_to(ROOT / "orca_daemon")
        if where.parts[0] in NOT_THE_DAEMON:
            continue
        for name in names(ast.parse(path.read_text("utf-8"))):
            if name in known:
                calls.setdefault(known[name], set()).add(str(where))
    return calls


def test_every_call_is_listed() -> None:
    calls = called()

    assert {call: sorted(calls[call]) for call in sorted(calls.keys() - OPERATIONS.keys())} == {}


def test_every_listed_call_is_made() -> None:
    assert sorted(OPERATIONS.keys() - called().keys()) == []


def granted(file: str = "policy.json") -> set[str]:
    policy = json.loads((ROOT / "deploy/iam" / file).read_text("utf-8"))
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def test_the_policy_grants_what_the_calls_need_and_nothing_else() -> None:
    needed = {action for actions in OPERATIONS.values() for action in actions}

    assert needed | ENCRYPTION == granted()


def test_versions_may_be_read_where_objects_may() -> None:
    reads = {action for action in granted() if action.startswith("s3:GetObject")}
    by_version = {action for action in reads if action.startswith("s3:GetObjectVersion")}

    assert {action.replace("Object", "ObjectVersion") for action in reads - by_version} == by_version


def test_the_console_may_do_what_it_calls_and_less_than_the_daemon() -> None:
    needed = {action for call in CONSOLE for action in OPERATIONS[call]}

    assert needed | ENCRYPTION == granted("console-policy.json")
    assert granted("console-policy.json") < granted()


def test_every_call_of_the_console_itself_is_listed() -> None:
    calls = {call for call, places in called().items() if any(p.startswith("console/") for p in places)}

    assert sorted(calls - CONSOLE) == []


@pytest.mark.parametrize("file", ["policy.json", "console-policy.json"])
def test_no_statement_grants_everything(file: str) -> None:
    text = (ROOT / "deploy/iam" / file).read_text("utf-8")

    for statement in json.loads(text)["Statement"]:
        assert statement["Effect"] == "Allow"
        assert "*" not in statement["Resource"]
        assert all("*" not in action for action in statement["Action"])
