"""The page on security names each action that the policy grants, and each port that the daemon uses."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text("utf-8")
POLICY = json.loads((ROOT / "deploy/iam/policy.json").read_text("utf-8"))
WHERE = {
    "ARCHIVE_BUCKET": "archive",
    "DESTINATION_BUCKET": "destinations",
    "REPORTS_BUCKET": "reports",
    "EXPORT_BUCKET": "exports",
    "STAGE_BUCKET": "stage",
}


def rows() -> dict[str, tuple[str, str]]:
    """Where each action is granted and why, as the table says; `the same` is resolved."""
    section = PAGE.partition("## Actions of AWS\n")[2].partition("\n## ")[0]
    found: dict[str, tuple[str, str]] = {}
    before = ""
    for action, on, why in re.findall(r"^\| `(\w+:\w+)` \| (.+) \| (.+) \|$", section, re.MULTILINE):
        assert action not in found
        before = before if on == "the same" else on
        found[action] = before, why
    return found


def granted() -> dict[str, list[str]]:
    """The resources on which the policy grants each action."""
    found: dict[str, list[str]] = {}
    for statement in POLICY["Statement"]:
        for action in statement["Action"]:
            found.setdefault(action, []).extend(statement["Resource"])
    return found


def test_the_table_has_the_actions_of_the_policy_with_a_reason() -> None:
    assert rows().keys() == granted().keys()
    assert [action for action, (_, why) in rows().items() if len(why) < len("to write to them")] == []


def test_the_table_says_on_which_buckets_an_action_is_granted() -> None:
    expected = {
        action: {place for name, place in WHERE.items() if any(name in each for each in resources)}
        for action, resources in granted().items()
        if action.startswith("s3:")
    }

    said = {
        action: set(WHERE.values()) if on == "all four" else set(on.split(", "))
        for action, (on, _) in rows().items()
        if action.startswith("s3:")
    }

    assert said == expected


def test_only_dead_letter_queues_are_looked_up_by_name() -> None:
    assert rows()["sqs:GetQueueUrl"][0] == "each dead-letter queue"


def test_the_network_policy_allows_the_ports_of_the_table() -> None:
    section = PAGE.partition("## Connections\n")[2].partition("\n## ")[0]
    network = (ROOT / "deploy/k8s/base/networkpolicy.yaml").read_text("utf-8")

    said = {int(port) for port in re.findall(r"\| (\d{2,5}) \|", section)}
    allowed = {int(port) for port in re.findall(r"port: (\d+)", network)}

    assert said - {80} == allowed - {53}
