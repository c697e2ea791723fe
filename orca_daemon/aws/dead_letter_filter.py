"""Which dead letters a command is about."""

from collections.abc import Callable
from dataclasses import dataclass

from orca_daemon.aws.dead_letter import DeadLetter


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterFilter:
    """A filter of dead letters: all conditions must hold."""

    ids: frozenset[str] = frozenset()
    """Ids of the dead letter or of the original message; empty means any."""
    reason: str = ""
    """Case-insensitive substring of the reason."""
    error: str = ""
    """Exact `error` of the evidence; empty means any."""
    group: str | None = None
    since: float = 0.0
    """Dead-lettered at this time (epoch) or later."""
    until: float = float("inf")
    """Dead-lettered before this time (epoch)."""
    test: Callable[[DeadLetter], bool] | None = None
    """A further condition."""

    def matches(self, letter: DeadLetter) -> bool:
        """Whether the dead letter meets all conditions."""
        return (
            (not self.ids or not self.ids.isdisjoint({letter.id, letter.original_id}))
            and self.reason.casefold() in letter.reason.casefold()
            and (not self.error or letter.evidence.get("error") == self.error)
            and (self.group is None or letter.envelope.group == self.group)
            and self.since <= letter.dead_lettered_at < self.until
            and (self.test is None or self.test(letter))
        )
