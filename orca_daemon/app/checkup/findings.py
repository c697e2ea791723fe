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


def remedy(error: BaseException) -> str:
    """What would mend an error of a call to AWS, or one that it led to."""
    from orca_daemon.aws.errors import Meaning, behind, meaning_of

    match meaning_of(behind(error) or error.__cause__ or error):
        case Meaning.DENIED:
            return "see deploy/iam/policy.json"
        case Meaning.CREDENTIALS:
            return "see the key, the profile or the role"
        case Meaning.CLOCK:
            return "set this machine's clock"
        case Meaning.MISSING:
            return "create it, or correct the setting"
        case Meaning.THROTTLED:
            return "try again later"
        case Meaning.PASSING | Meaning.REFUSED:
            return "see the endpoint, the network and the proxy"


def works(findings: Iterable[Finding]) -> bool:
    """Whether nothing is wrong; advice does not count."""
    return all(finding.grade is not Grade.WRONG for finding in findings)
