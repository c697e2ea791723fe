"""One judgement for two voices: `check` lists every finding, the start refuses, waits or warns by them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Grade(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    ADVICE = "advice"
    """It works, and could be better."""
    WRONG = "wrong"
    """Something will not work."""


class StartAction(StrEnum):
    """What the start of the daemon does about a finding."""

    PROCEED = "proceed"
    """Log it, unless it is OK, and go on."""
    WAIT = "wait"
    """Try again until it is gone: it may pass without a change of ours."""
    REFUSE = "refuse"
    """End with exit code 78: waiting cannot fix it."""


FINDING = "start.finding"
ALLOW = "allow this role to do it: 'orca-daemon policy' prints what it needs; or correct the endpoint"
"""The fix of a refusal: by AWS, or by something else that answers at a wrong endpoint."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check."""

    subject: str
    """What was checked: `credentials`, `queue recovery`, `database`, `bucket b`."""
    grade: Grade
    text: str
    do: str = ""
    """What would fix it."""
    at_start: StartAction = StartAction.PROCEED
    event: str = FINDING
    """The log event of the start's warning."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """Fields of that log event, besides `reason` and `do`."""

    @property
    def warns(self) -> bool:
        """Whether the start logs it as a warning."""
        return self.grade is Grade.WRONG or self.event != FINDING

    @property
    def sentence(self) -> str:
        """The finding as one line: subject, text and remedy."""
        return f"{self.subject}: {self.text}" + (f"; {self.do}" if self.do else "")


def ok(subject: str, text: str) -> Finding:
    """It will work."""
    return Finding(subject, Grade.OK, text)


def advice(
    subject: str, text: str, do: str, event: str = FINDING, facts: Mapping[str, object] | None = None
) -> Finding:
    """It works, and could be better."""
    return Finding(subject, Grade.ADVICE, text, do, event=event, facts=facts or {})


def wrong(subject: str, text: str, do: str = "", at_start: StartAction = StartAction.PROCEED) -> Finding:
    """Something will not work."""
    return Finding(subject, Grade.WRONG, text, do, at_start)


def remedy(error: BaseException) -> str:
    """What would fix an error of a call to AWS, or an error of ours that it caused."""
    from orca_daemon.aws.errors import Meaning, behind, meaning_of

    match meaning_of(behind(error) or error.__cause__ or error):
        case Meaning.DENIED:
            return ALLOW
        case Meaning.CREDENTIALS:
            return "correct the key, the profile or the role"
        case Meaning.CLOCK:
            return "set this machine's clock"
        case Meaning.MISSING:
            return "create it, or correct the setting"
        case Meaning.THROTTLED:
            return "try again later"
        case Meaning.PASSING | Meaning.REFUSED:
            return "check the endpoint, the network and the proxy"


def works(findings: Iterable[Finding]) -> bool:
    """Whether no finding is WRONG; advice does not count."""
    return all(finding.grade is not Grade.WRONG for finding in findings)
