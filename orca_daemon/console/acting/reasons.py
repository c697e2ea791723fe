"""Which failures a form is about: those of one reason, since a time before now."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from orca_daemon.console.acting.action import Fields
from orca_daemon.console.context import ConsoleContext
from orca_daemon.operations.errors import NotFoundError
from orca_daemon.operations.failures import FailureGroup, Failures, group_of_action, groups_since

SPANS = {"1d": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}

MOST, RATE = 1_000_000, 50.0
"""The most files or dead letters, and how many in a second, so that a mistake can be stopped."""
WARNING = "If what made them fail is not mended, they fail again."


class OfReason(Fields):
    """A group of failures, as the page of failures shows it."""

    reason_id: str
    since: str = "7d"
    """A key of `SPANS`."""

    def start(self) -> datetime:
        """The time since which failures count.  Raises ValueError."""
        if self.since not in SPANS:
            raise ValueError(f"The time must be one of {', '.join(SPANS)}.")
        return datetime.now(UTC) - SPANS[self.since]


async def group_of(
    console: ConsoleContext, fields: OfReason, action: UUID | None = None
) -> tuple[FailureGroup, datetime]:
    """The group, and since when it was counted; of an action that was cut short, the group may be gone.

    Raises:
        ValueError: nothing has this reason, or not any more.
        DependencyDown, PostgresError: the database cannot be read.
    """
    since = fields.start()
    groups = await console.reader.read(groups_since, since)
    try:
        return Failures(since=since, groups=groups, queues=[]).find(fields.reason_id), since
    except NotFoundError as error:
        if action and (group := await group_of_action(console.settings, action, fields.reason_id)):
            return group, since
        raise ValueError(f"{error}.") from None


def facts(group: FailureGroup, rate: str) -> list[tuple[str, str]]:
    """What the preview of an action on a group tells of it."""
    return [("Reason", group.reason), ("For example", group.example), ("At most", rate)]
