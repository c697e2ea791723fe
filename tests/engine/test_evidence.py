"""Evidence of a dead letter, and the room that it has."""

import json
from collections.abc import Mapping

import pytest

from orca_daemon.engine.evidence import NAME, with_evidence
from orca_daemon.engine.size import LARGEST, size

EVIDENCE: Mapping[str, object] = {"reason": "r" * 500, "error": "ValueError", "attempts": 5, "version": "1.0"}
OWN: Mapping[str, Mapping[str, object]] = {"RequestMethod": {"DataType": "String", "StringValue": "new_job"}}


def test_evidence_is_one_attribute_of_json() -> None:
    attributes = with_evidence("{}", OWN, EVIDENCE, LARGEST)
    assert attributes["RequestMethod"] == OWN["RequestMethod"]
    assert json.loads(str(attributes[NAME]["StringValue"])) == EVIDENCE


def test_evidence_of_an_earlier_death_is_replaced() -> None:
    once = with_evidence("{}", OWN, {"reason": "first"}, LARGEST)
    twice = with_evidence("{}", once, {"reason": "second"}, LARGEST)
    assert list(twice) == ["RequestMethod", NAME]
    assert json.loads(str(twice[NAME]["StringValue"])) == {"reason": "second"}


@pytest.mark.parametrize("limit", range(0, 700, 7))
def test_evidence_never_makes_a_message_too_large(limit: int) -> None:
    body = "é" * 500
    attributes = with_evidence(body, OWN, EVIDENCE, size(body, OWN) + limit)
    assert size(body, attributes) <= size(body, OWN) + limit
    if NAME in attributes:
        assert "reason" in json.loads(str(attributes[NAME]["StringValue"]))


def test_the_reason_is_the_last_to_go() -> None:
    limit = size("a", {}) + len(NAME) + len("String") + 80
    attributes = with_evidence("a", {}, EVIDENCE, limit)
    assert list(json.loads(str(attributes[NAME]["StringValue"]))) == ["reason"]


def test_a_message_with_ten_attributes_gets_none() -> None:
    own = {f"a{number}": {"DataType": "String", "StringValue": "1"} for number in range(10)}
    assert with_evidence("a", own, EVIDENCE, LARGEST) == own


def test_a_full_message_is_dead_lettered_without_evidence() -> None:
    assert with_evidence("a" * LARGEST, {}, EVIDENCE, LARGEST) == {}
