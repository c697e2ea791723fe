"""The state machines of deploy/stepfunctions: what they send is what the restore queue accepts.

`./dev deploy_check` validates them against the States language, and runs them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from orca_daemon.aws.operations import OPERATIONS
from orca_daemon.wire.restore import decode

FOLDER = Path(__file__).parents[2] / "deploy" / "stepfunctions"
MACHINES = ("recovery", "recovery-fifo", "recovery-without-answer")
INPUT: Mapping[str, Any] = {
    "payload": {
        "granules": [
            {
                "collectionId": "MOD09GQ___006",
                "granuleId": "G",
                "files": [{"fileName": "G.hdf", "key": "a/G.hdf"}],
            }
        ]
    },
    "config": {
        "buckets": {"protected": {"name": "prefix-protected", "type": "protected"}},
        "fileBucketMaps": [{"regex": ".*\\.hdf$", "bucket": "protected", "sampleFileName": "G.hdf"}],
        "asyncOperationId": "op-1",
    },
}
"""What Cumulus starts the recovery workflow with (contract 14)."""
CONTEXT = {"$$.Task.Token": "a-token", "$$.Execution.Name": "an-execution", "States.UUID()": "a-uuid"}


def machine(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"{name}.asl.json").read_text("utf-8"))
    return document


def filled(template: Any) -> Any:
    """The template with the values of its paths, for the few kinds of paths that these machines use."""
    if not isinstance(template, dict):
        return template
    return {
        key.removesuffix(".$"): _at(value) if key.endswith(".$") else filled(value)
        for key, value in template.items()
    }


def _at(path: str) -> Any:
    if path in CONTEXT:
        return CONTEXT[path]
    value: Any = INPUT
    for name in path.removeprefix("$.").split("."):
        value = value[name]
    return value


@pytest.mark.parametrize("name", MACHINES)
def test_a_state_machine_sends_a_message_that_the_daemon_takes(name: str) -> None:
    state = machine(name)["States"]["RequestRestore"]
    parameters = filled(state["Parameters"])
    body = json.dumps(parameters["MessageBody"])

    request = decode(body)

    assert [(file.key, file.destination) for _, file in request.files] == [("a/G.hdf", "prefix-protected")]
    assert (request.job_id, request.task_token) == (
        "op-1",
        "a-token" if state["Resource"].endswith(".waitForTaskToken") else None,
    )


@pytest.mark.parametrize("name", MACHINES)
def test_a_state_machine_calls_sqs_as_sqs_documents_it(name: str) -> None:
    parameters = filled(machine(name)["States"]["RequestRestore"]["Parameters"])
    shape = botocore.session.get_session().get_service_model("sqs").operation_model("SendMessage").input_shape
    assert shape is not None
    report = ParamValidator().validate(
        parameters | {"MessageBody": json.dumps(parameters["MessageBody"])}, shape
    )

    assert not report.has_errors(), report.generate_report()
    assert ("MessageGroupId" in parameters) is parameters["QueueUrl"].endswith(".fifo")


@pytest.mark.parametrize("name", MACHINES)
def test_a_state_machine_ends_as_orcas_does(name: str) -> None:
    document = machine(name)
    task = document["States"]["RequestRestore"]

    assert document["TimeoutSeconds"] == 18_000
    if task["Resource"].endswith(".waitForTaskToken"):
        # The output of the task is the output of the execution, to the letter: Cumulus's adapter returns it.
        assert {"ResultPath", "ResultSelector", "OutputPath", "Next"}.isdisjoint(task)
        assert task["HeartbeatSeconds"] < document["TimeoutSeconds"]


def test_the_role_may_send_and_nothing_else() -> None:
    policy = json.loads((FOLDER / "role-policy.json").read_text("utf-8"))
    actions = {action for statement in policy["Statement"] for action in statement["Action"]}

    assert actions == {"sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey"}
    assert all("*" not in resource for statement in policy["Statement"] for resource in statement["Resource"])


def test_the_daemons_own_policy_names_the_calls_that_answer() -> None:
    assert {name for name in OPERATIONS if name.startswith("stepfunctions:")} == {
        "stepfunctions:SendTaskFailure",
        "stepfunctions:SendTaskHeartbeat",
        "stepfunctions:SendTaskSuccess",
    }
