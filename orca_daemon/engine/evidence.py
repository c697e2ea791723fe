"""Evidence of a dead letter, as one message attribute, cut to the space that the message leaves."""

import json
from collections.abc import Mapping

from orca_daemon.engine.size import MOST_ATTRIBUTES, Attributes, attribute_size, size

NAME = "OrcaDaemonEvidence"
_SHORT = (1_000, 200, 60)
"""Lengths to which texts are cut, one after the other, before whole facts are left out."""


def with_evidence(
    body: str, attributes: Attributes, evidence: Mapping[str, object], largest: int
) -> dict[str, Mapping[str, object]]:
    """The attributes of the dead letter: the message's own, and as much of the evidence as fits.

    `evidence` has its most important facts first, because they are left out last; `largest` is the dead-
    letter queue's limit in bytes.  Earlier evidence, of a message that was redriven, is replaced.
    """
    kept = without_evidence(attributes)
    if len(kept) >= MOST_ATTRIBUTES:
        return kept
    limit = largest - size(body, kept) - attribute_size(NAME, _attribute(""))
    text = _fitted(evidence, limit)
    return {**kept, NAME: _attribute(text)} if text else kept


def without_evidence(attributes: Attributes) -> dict[str, Mapping[str, object]]:
    """The message's own attributes."""
    return {name: value for name, value in attributes.items() if name != NAME}


def _fitted(evidence: Mapping[str, object], limit: int) -> str:
    facts = dict(evidence)
    if len(text := _text(facts)) <= limit:
        return text
    for length in _SHORT:
        facts = {name: _cut(value, length) for name, value in facts.items()}
        if len(text := _text(facts)) <= limit:
            return text
    while facts:
        facts.popitem()
        if facts and len(text := _text(facts)) <= limit:
            return text
    return ""


def _text(facts: Mapping[str, object]) -> str:
    # ASCII only: one byte per character, and no character that SQS refuses.
    return json.dumps(facts, default=str)


def _cut(value: object, length: int) -> object:
    return value if not isinstance(value, str) or len(value) <= length else value[: length - 1] + "…"


def _attribute(text: str) -> dict[str, object]:
    return {"DataType": "String", "StringValue": text}
