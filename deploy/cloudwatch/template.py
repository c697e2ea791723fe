"""Writes alarms.template.json, a CloudFormation template, from alarms.json (`./dev docs`).

alarms.json is the list that this template, the Terraform module and the tests read.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ALARMS: list[dict[str, Any]] = json.loads((HERE / "alarms.json").read_text("utf-8"))
TEMPLATE = HERE / "alarms.template.json"
QUEUES = ("StatusUpdate", "Recovery", "InternalReport", "Catalog", "Restore")
KINDS = {"queue": "Queue", "dead_letter_queue": "DeadLetterQueue"}
"""What an alarm on a metric of SQS is about, as the end of the name of its parameters."""


def main() -> None:
    """Write the template."""
    TEMPLATE.write_text(text(), "utf-8")


def text() -> str:
    """The template as JSON."""
    return json.dumps(template(), indent=2) + "\n"


def template() -> dict[str, Any]:
    """The template."""
    names = [f"{queue}{kind}" for queue in QUEUES for kind in KINDS.values()]
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Alarms on orca-daemon, equal in meaning to its alerts for Prometheus",
        "Parameters": {
            "Deployment": _parameter("metrics.deployment of the daemon", "orca"),
            "Namespace": _parameter("metrics.namespace of the daemon", "OrcaDaemon"),
            "Daemons": _parameter("Number of daemons that run", 1, "Number"),
            "PageTopic": _parameter("ARN of the SNS topic for what cannot wait; empty for none"),
            "TicketTopic": _parameter("ARN of the SNS topic for what can wait a day; empty for none"),
            "DeadLetterAgeLimit": _parameter(
                "Seconds; half of the retention of the dead-letter queues (4 days unless you changed it)",
                172800,
                "Number",
            ),
            **{name: _parameter(f"Name of the {_spaced(name)}; empty if there is none") for name in names},
        },
        "Conditions": {f"Has{name}": _not_empty(name) for name in [*names, "PageTopic", "TicketTopic"]},
        "Resources": dict(_resources()),
    }


def _resources() -> Iterator[tuple[str, dict[str, Any]]]:
    for alarm in ALARMS:
        if alarm["of"] == "deployment":
            dimensions = [{"Name": "Deployment", "Value": {"Ref": "Deployment"}}]
            yield (
                alarm["alert"],
                _resource(alarm, "${Deployment}-" + alarm["alert"], {"Ref": "Namespace"}, dimensions),
            )
            continue
        for queue in QUEUES:
            name = f"{queue}{KINDS[alarm['of']]}"
            dimensions = [{"Name": "QueueName", "Value": {"Ref": name}}]
            title = f"${{Deployment}}-{alarm['alert']}-${{{name}}}"
            yield (
                f"{alarm['alert']}{queue}",
                {"Condition": f"Has{name}", **_resource(alarm, title, "AWS/SQS", dimensions)},
            )


def _resource(
    alarm: dict[str, Any], title: str, namespace: Any, dimensions: list[dict[str, Any]]
) -> dict[str, Any]:
    topic = f"{alarm['severity'].capitalize()}Topic"
    actions = {"Fn::If": [f"Has{topic}", [{"Ref": topic}], {"Ref": "AWS::NoValue"}]}
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": {"Fn::Sub": title},
            "AlarmDescription": f"{alarm['severity']}: docs/operate.md of orca-daemon, {alarm['alert']}",
            "Namespace": namespace,
            "MetricName": alarm["metric"],
            "Dimensions": dimensions,
            "Statistic": alarm["statistic"],
            "Period": alarm["period"],
            "EvaluationPeriods": alarm["periods"],
            "ComparisonOperator": alarm["comparison"],
            "Threshold": _threshold(alarm),
            "TreatMissingData": alarm["missing"],
            "AlarmActions": actions,
            "OKActions": actions,
        },
    }


def _threshold(alarm: dict[str, Any]) -> Any:
    """CloudFormation cannot multiply, so what depends on the deployment is a parameter."""
    if alarm.get("times_daemons"):
        return {"Ref": "Daemons"}
    return {"Ref": "DeadLetterAgeLimit"} if alarm.get("times_retention") else alarm["threshold"]


def _parameter(text: str, default: object = "", kind: str = "String") -> dict[str, Any]:
    return {"Type": kind, "Default": default, "Description": text}


def _not_empty(name: str) -> dict[str, Any]:
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": name}, ""]}]}


def _spaced(name: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


if __name__ == "__main__":
    main()
