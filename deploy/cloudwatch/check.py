"""Checks the alarms with CloudFormation's linter and in moto's CloudWatch, and lines of metrics by a schema.

Run by ./dev deploy_check, which passes lines of metrics on standard input.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import boto3
import jsonschema
from cfnlint.api import lint
from moto import mock_aws

HERE = Path(__file__).parent
TEMPLATE: dict[str, Any] = json.loads((HERE / "alarms.template.json").read_text("utf-8"))
PAGE = "arn:aws:sns:us-west-2:123456789012:page"
PARAMETERS = {
    "Daemons": "3",
    "PageTopic": PAGE,
    "RecoveryQueue": "recovery",
    "RecoveryDeadLetterQueue": "recovery-dead",
}


def main() -> None:
    """Check, and exit with 1 at the first mistake."""
    if mistakes := lint(json.dumps(TEMPLATE), regions=["us-west-2"]):
        sys.exit("\n".join(f"{each.rule.id} {each.message} {each.path}" for each in mistakes))
    wanted = {alarm["AlarmName"]: alarm for alarm in deployed()}
    alarms = put(wanted.values())
    if len(wanted) != len(json.loads((HERE / "alarms.json").read_text("utf-8"))):
        sys.exit(f"with one queue there are other alarms than in the list: {sorted(wanted)}")
    for name, alarm in wanted.items():
        if lost := {key: value for key, value in alarm.items() if alarms[name].get(key) != value}:
            sys.exit(f"CloudWatch has other values of {name} than {lost}: {alarms[name]}")
    if (alarms["orca-OrcaDaemonDown"]["Threshold"], alarms["orca-OrcaDaemonDown"]["AlarmActions"]) != (
        3.0,
        [PAGE],
    ):
        sys.exit(f"OrcaDaemonDown is wrong: {alarms['orca-OrcaDaemonDown']}")
    schema = json.loads((HERE / "emf.schema.json").read_text("utf-8"))
    lines = sys.stdin.read().splitlines()
    if not lines:
        sys.exit("no line of metrics was passed")
    for line in lines:
        jsonschema.validate(json.loads(line), schema)


def deployed() -> Iterator[dict[str, Any]]:
    """The alarms that CloudFormation would put, as arguments of PutMetricAlarm."""
    defaults = {name: each["Default"] for name, each in TEMPLATE["Parameters"].items()}
    values = defaults | PARAMETERS
    for resource in TEMPLATE["Resources"].values():
        condition = resource.get("Condition", "")
        if not condition or values[condition.removeprefix("Has")]:
            found = resolved(resource["Properties"], values)
            yield {**found, "Threshold": float(found["Threshold"])}


def resolved(value: Any, values: dict[str, Any]) -> Any:
    """A part of the template with its parameters put in; arguments of `AWS::NoValue` are left out."""
    match value:
        case {"Ref": name}:
            return values[name]
        case {"Fn::Sub": text}:
            return re.sub(r"\$\{(\w+)\}", lambda found: str(values[found[1]]), text)
        case {"Fn::If": [condition, then, _]}:
            return resolved(then, values) if values[condition.removeprefix("Has")] else []
        case dict():
            return {name: resolved(each, values) for name, each in value.items()}
        case list():
            return [resolved(each, values) for each in value]
        case _:
            return value


@mock_aws
def put(alarms: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What CloudWatch has of these alarms after they were put, by name; botocore checks their form."""
    cloudwatch = boto3.client("cloudwatch", region_name="us-west-2")
    for alarm in alarms:
        cloudwatch.put_metric_alarm(**alarm)
    pages = cloudwatch.get_paginator("describe_alarms").paginate()
    return {alarm["AlarmName"]: alarm for page in pages for alarm in page["MetricAlarms"]}


if __name__ == "__main__":
    main()
