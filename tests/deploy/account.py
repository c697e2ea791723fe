"""A model of an AWS account: what exists after each `aws`, and what the next one needs."""

import json
from dataclasses import dataclass, field
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.validate import ParamValidator

from tests.deploy.cluster import MissingError, UnknownCommandError
from tests.deploy.commands import ROOT, Command

_SESSION = botocore.session.get_session()
_OF_THE_CLI = {("logs", "tail")}
"""Commands of the AWS command line that are no operation of a service."""
_OPTIONS_OF_THE_CLI = {"--query", "--output", "--cli-input-json"}


@dataclass
class Account:
    """What was created, by kind and name."""

    made: set[tuple[str, str]] = field(default_factory=set)
    task: dict[str, Any] = field(default_factory=dict)
    """The task definition."""

    def aws(self, command: Command) -> None:
        """Check the command against AWS's own model of it, and do what it does.

        Raises MissingError, UnknownCommandError, or AssertionError for arguments that AWS would not take.
        """
        _, service, operation, *rest = command
        if service not in {"ecs", "logs"}:
            raise UnknownCommandError(command)
        if (service, operation) in _OF_THE_CLI:
            self._need("log group", rest[0])
            return
        if operation == "wait":
            operation, rest = rest[0], rest[1:]
            assert operation.replace("-", "_") in map(xform_name, _waiters(service))
            operation = "describe-tasks"
        given = _arguments(service, operation, rest)
        match operation:
            case "create-cluster":
                self.made.add(("cluster", given["clusterName"]))
            case "create-log-group":
                self.made.add(("log group", given["logGroupName"]))
            case "register-task-definition":
                for group in _log_groups(given):
                    self._need("log group", group)
                self.made.add(("task definition", given["family"]))
                self.task = given
            case "run-task" | "create-service" | "update-service" | "describe-tasks":
                self._use(operation, given)
            case _:
                raise UnknownCommandError(command)

    def _use(self, operation: str, given: dict[str, Any]) -> None:
        self._need("cluster", given["cluster"])
        if "taskDefinition" in given:
            self._need("task definition", given["taskDefinition"])
        for each in given.get("overrides", {}).get("containerOverrides", []):
            names = {container["name"] for container in self.task["containerDefinitions"]}
            if each["name"] not in names:
                raise MissingError(f"the task has no container {each['name']}")
        if operation == "update-service":
            self._need("service", given["service"])
        if operation == "create-service":
            self.made.add(("service", given["serviceName"]))
        if self.task["networkMode"] == "awsvpc" and operation in {"run-task", "create-service"}:
            assert "awsvpcConfiguration" in given["networkConfiguration"], "Fargate needs subnets"
            assert given["launchType"] in self.task["requiresCompatibilities"]

    def _need(self, kind: str, name: str) -> None:
        if (kind, name) not in self.made:
            raise MissingError(f"there is no {kind} {name}")


def _arguments(service: str, operation: str, words: Command) -> dict[str, Any]:
    """The arguments of an operation, valid by AWS's model."""
    model = _SESSION.get_service_model(service)
    names = {xform_name(name).replace("_", "-"): name for name in model.operation_names}
    shape = model.operation_model(names[operation]).input_shape
    assert shape is not None
    members = {"--" + xform_name(name).replace("_", "-"): name for name in shape.members}
    given: dict[str, Any] = {}
    for option, text in zip(words[::2], words[1::2], strict=True):
        value: Any = json.loads(_read(text)) if text.startswith(("file://", "{", "[")) else text
        if option == "--cli-input-json":
            given |= value
        elif option not in _OPTIONS_OF_THE_CLI:
            kind = shape.members[members[option]].type_name
            given[members[option]] = [value] if kind == "list" else int(value) if kind == "integer" else value
    report = ParamValidator().validate(given, shape)
    assert not report.has_errors(), report.generate_report()
    return given


def _read(text: str) -> str:
    return (ROOT / text.removeprefix("file://")).read_text("utf-8") if text.startswith("file://") else text


def _waiters(service: str) -> list[str]:
    return list(_SESSION.get_waiter_model(service).waiter_names)


def _log_groups(task: dict[str, Any]) -> list[str]:
    logs = [container["logConfiguration"]["options"] for container in task["containerDefinitions"]]
    return [each.get("awslogs-group") or each["log_group_name"] for each in logs]
