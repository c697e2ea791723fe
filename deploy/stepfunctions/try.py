"""Runs the state machines for a standard queue in moto, and answers their tasks.

It needs `moto[stepfunctions]`, whose parsers are not installed for tests; `./dev deploy_check` brings it.
moto 5.2 does not pass MessageGroupId on to a FIFO queue, so that variant is only validated.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws

FOLDER = Path(__file__).parent
PATIENCE = 30.0
INPUT = {"payload": {"granules": [{"granuleId": "G"}]}, "config": {"buckets": {}, "fileBucketMaps": []}}
OUTPUT = {"granules": [{"granuleId": "G", "recoverFiles": []}], "asyncOperationId": "job"}
WITHOUT_ANSWER = {"granules": [{"granuleId": "G"}]}
ROLE = "arn:aws:iam::123456789012:role/state-machine"


def main() -> None:
    """Raise AssertionError if a machine does not do what its comment says."""
    os.environ.update(AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b", AWS_DEFAULT_REGION="us-west-2")  # noqa: S106  moto's
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        run("recovery", answered=OUTPUT)
        run("recovery-without-answer", answered=None)
        fail("recovery")


def run(name: str, *, answered: dict[str, Any] | None) -> None:
    """Run one machine; if it waits for an answer, give this one."""
    states, execution, body = begun(name)
    equal({key: body[key] for key in INPUT}, INPUT)
    equal("taskToken" in body, answered is not None)
    if answered is not None:
        states.send_task_heartbeat(taskToken=body["taskToken"])
        states.send_task_success(taskToken=body["taskToken"], output=json.dumps(answered))
    ended = until(lambda: ended_execution(states, execution))
    equal(ended["status"], "SUCCEEDED")
    equal(json.loads(ended["output"]), answered or WITHOUT_ANSWER)


def fail(name: str) -> None:
    """Run one machine and answer that its task failed."""
    states, execution, body = begun(name)
    states.send_task_failure(taskToken=body["taskToken"], error="RestoreRefused", cause="a sentence")
    ended = until(lambda: ended_execution(states, execution))
    equal((ended["status"], ended["error"]), ("FAILED", "RestoreRefused"))


def equal(found: object, expected: object) -> None:
    """Raise AssertionError unless both are equal."""
    if found != expected:
        raise AssertionError(f"{found!r}, not {expected!r}")


def begun(name: str) -> tuple[Any, str, dict[str, Any]]:
    """A new execution of the machine, and the body that it sent."""
    sqs, states = boto3.client("sqs"), boto3.client("stepfunctions")
    number = len(states.list_state_machines()["stateMachines"])
    url = sqs.create_queue(QueueName=f"queue-{number}")["QueueUrl"]
    definition = json.loads((FOLDER / f"{name}.asl.json").read_text("utf-8"))
    definition["States"]["RequestRestore"]["Parameters"]["QueueUrl"] = url
    machine = states.create_state_machine(
        name=f"machine-{number}", definition=json.dumps(definition), roleArn=ROLE
    )["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine, input=json.dumps(INPUT))["executionArn"]
    [message] = until(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    return states, execution, json.loads(message["Body"])


def ended_execution(states: Any, execution: str) -> dict[str, Any] | None:
    """The execution, once it has ended."""
    described: dict[str, Any] = states.describe_execution(executionArn=execution)
    return described if described["status"] != "RUNNING" else None


def until(read: Callable[[], Any]) -> Any:
    """What `read` returns, once it is something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := read():
            return found
        time.sleep(0.05)
    raise AssertionError("the state machine did not get there")


if __name__ == "__main__":
    main()
