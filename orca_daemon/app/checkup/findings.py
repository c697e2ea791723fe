"""What a check-up finds: facts, advice, and what will not work."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Grade(Enum):
    """How a finding is to be taken."""

    OK = "ok"
    ADVICE = "advice"
    """It works, and could be better."""
    WRONG = "wrong"
    """Something will not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the check-up."""

    subject: str
    """What was looked at: `credentials`, `queue recovery`, `database`, `bucket b`."""
    grade: Grade
    text: str
    do: str = ""
    """What would mend it."""


def ok(subject: str, text: str) -> Finding:
    """All is well."""
    return Finding(subject, Grade.OK, text)


def advice(subject: str, text: str, do: str) -> Finding:
    """It works, and could be better."""
    return Finding(subject, Grade.ADVICE, text, do)


def wrong(subject: str, text: str, do: str = "") -> Finding:
    """Something will not work."""
    return Finding(subject, Grade.WRONG, text, do)


def works(findings: Iterable[Finding]) -> bool:
    """Whether nothing is wrong; advice does not count."""
    return all(finding.grade is not Grade.WRONG for finding in findings)
