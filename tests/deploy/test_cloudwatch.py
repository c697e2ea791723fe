"""CloudWatch's alarms and Prometheus' alerts are one list: the same names, thresholds and durations."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from orca_daemon.ops.emf.measures import MEASURES, Unit
from tests.deploy.alerts.cloudwatch import OWN, alarms
from tests.deploy.alerts.promtool import rules

FOLDER = Path(__file__).parents[2] / "deploy/cloudwatch"
RULES = rules()
ALARMS = {alarm["alert"]: alarm for alarm in alarms()}
UNITS = {"m": 60, "h": 3600}
NUMBER = r"\d[\d.]*(?: \* \d+)*"
SHARE_OF_TIME = {"OrcaDaemonDrainSlow", "OrcaDaemonDeadLettersExpiring", "OrcaDaemonPausedQueueExpiring"}
"""Alerts that compare with a share (`0.8 *`, `0.5 *`) of another metric."""
each_alarm = pytest.mark.parametrize("name", sorted(ALARMS))


def test_each_alert_has_one_alarm() -> None:
    names = [alarm["alert"] for alarm in alarms()]

    assert sorted(names) == sorted(RULES)


def test_an_alarm_is_on_a_metric_of_the_daemon_or_says_why_one_of_sqs_serves() -> None:
    own = {measure.name for measure in MEASURES}
    of_sqs = {alarm["metric"] for alarm in ALARMS.values() if alarm["of"] != OWN}

    assert {alarm["metric"] for alarm in ALARMS.values() if alarm["of"] == OWN} == own
    assert of_sqs == {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"}
    assert {name for name, alarm in ALARMS.items() if "reason" in alarm} == {
        name for name, alarm in ALARMS.items() if alarm["of"] != OWN
    }


@each_alarm
def test_an_alarm_has_the_severity_of_its_alert(name: str) -> None:
    assert ALARMS[name]["severity"] == RULES[name]["labels"]["severity"]


@each_alarm
def test_an_alarm_rises_after_as_long_as_its_alert(name: str) -> None:
    """`for`, else the range that the rule looks back over, else one minute; SQS's metrics come every five."""
    rule, alarm = RULES[name], ALARMS[name]
    looks_back = re.findall(r"\[(\d+)([mh])\]", rule["expr"])
    expected = [seconds(rule["for"])] if "for" in rule else [seconds("".join(each)) for each in looks_back]

    assert alarm["period"] * alarm["periods"] == (expected or [60])[0]


def seconds(text: str) -> int:
    return int(text[:-1]) * UNITS[text[-1]]


@each_alarm
def test_an_alarm_has_the_threshold_of_its_alert(name: str) -> None:
    alarm = ALARMS[name]

    assert alarm["threshold"] == pytest.approx(threshold(name))
    below = alarm["metric"] == "Up"
    assert alarm["comparison"] == ("LessThanThreshold" if below else "GreaterThanThreshold")
    assert alarm["missing"] == ("breaching" if below else "notBreaching")


def threshold(name: str) -> float:
    """The number that the rule compares with; what is only true or false is 1 or 0, an excess is above 0."""
    expression = RULES[name]["expr"]
    if name in SHARE_OF_TIME:
        return float(re.findall(r"(0\.\d) \*", expression)[0])
    if ALARMS[name]["metric"] == "Up":
        return 1
    measure = next((each for each in MEASURES if each.name == ALARMS[name]["metric"]), None)
    if (measure and measure.unit is Unit.NONE) or name == "OrcaDaemonMessageStuck":
        return 0
    found = re.findall(rf" > ({NUMBER})(?=\)*(?:\s|$))", expression)
    # `> 0` within the expression keeps timestamps of 0, which stand for none, out of it.
    numbers = [product(each) for each in found]
    return next((each for each in reversed(numbers) if each), 0)


def product(text: str) -> float:
    value = 1.0
    for factor in text.split(" * "):
        value *= float(factor)
    return value


def test_the_template_of_cloudformation_is_up_to_date() -> None:
    made = runpy.run_path(str(FOLDER / "template.py"))

    assert made["text"]() == (FOLDER / "alarms.template.json").read_text("utf-8"), "./dev docs"


def test_the_template_has_an_alarm_of_sqs_for_each_queue_and_parameters_for_what_differs() -> None:
    template: dict[str, Any] = json.loads((FOLDER / "alarms.template.json").read_text("utf-8"))
    own = [alarm for alarm in alarms() if alarm["of"] == OWN]
    others = len(ALARMS) - len(own)

    assert len(template["Resources"]) == len(own) + 5 * others
    down = template["Resources"]["OrcaDaemonDown"]["Properties"]
    assert down["Threshold"] == {"Ref": "Daemons"}
