"""Successes and failures at one place of a dependency, as far back as decisions need them."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from orca_daemon.engine.charges import KEPT, Rules, Standing


@dataclass(slots=True)
class Tally:
    """Counts by message.  `moment` grows with every result; there is no clock here.

    Written by the tasks of runs, through `Dependencies`.
    """

    moment: int = 0
    opened: int = 0
    """The moment at which the place last went down."""
    waiting: set[str] = field(default_factory=set)
    """Messages in flight whose last attempt failed here."""
    _succeeded: OrderedDict[str, int] = field(default_factory=OrderedDict)
    _failed: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=KEPT))
    _failing: set[str] = field(default_factory=set)
    """Messages that failed since the last success; likewise the refused."""
    _refused: set[str] = field(default_factory=set)

    def success(self, message: str) -> None:
        """An operation of this message succeeded."""
        self.moment += 1
        self._succeeded[message] = self.moment
        self._succeeded.move_to_end(message)
        if len(self._succeeded) > KEPT:
            self._succeeded.popitem(last=False)
        self._failing.clear()
        self._refused.clear()

    def failure(self, message: str, rules: Rules, *, refused: bool = False) -> bool:
        """An attempt of this message failed; return whether the place counts as down now."""
        self.moment += 1
        self._failed.append((self.moment, message))
        in_a_row, enough = (
            (self._refused, rules.refused_in_a_row) if refused else (self._failing, rules.failed_in_a_row)
        )
        if len(in_a_row) < enough:
            in_a_row.add(message)
        return len(in_a_row) >= enough

    def went_down(self) -> None:
        """The place counts as down from now on."""
        self.moment += 1
        self.opened = self.moment

    def standing(self, message: str, since: int) -> Standing:
        """The place from the view of this message, whose last attempt was at the moment `since`."""
        return Standing(
            moment=self.moment,
            opened=self.opened,
            succeeded=sum(moment > since for other, moment in self._succeeded.items() if other != message),
            failed=sum(moment > since for moment, other in self._failed if other != message),
            others_wait=bool(self.waiting - {message}),
        )

    @property
    def idle(self) -> bool:
        """Whether no message waits, and the last result was a success: the tally need not be kept."""
        return not (self.waiting or self._failing or self._refused)
