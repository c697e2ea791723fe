"""The daemon's side of the dialogue with the child: receives, signs URLs that it asks for, raises its
failures.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from orca_daemon.aws.place_errors import S3, reading
from orca_daemon.db.failures import SqlstateMeaning, meaning
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
from orca_daemon.reconcile.process import Child, ChildDiedError
from orca_daemon.reconcile.protocol import ComparisonFailure, Message, Signed, Unsigned

E = TypeVar("E", bound=Message)
OnMessage = Callable[[Message], None]
Sign = Callable[[int], Awaitable[str]]
"""Makes another URL of the data file at a place."""


class ComparisonFailedError(Exception):
    """The comparison failed, and another attempt may succeed."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One talk with a child.

    Args:
        child: who speaks.
        on_message: called with each message of the child.
        bucket: where the data files are; empty for a listing that lies in Postgres.
        sign: makes URLs of them.
    """

    child: Child
    on_message: OnMessage
    bucket: str
    sign: Sign

    async def until(self, kind: type[E]) -> E:
        """Listen until it says this.

        Raises:
            ComparisonFailedError: it died, or failed in a way that may pass.
            Reject: no retry can help.
            NotYet: S3 asks to slow down.
            WorkspaceFullError: the disk is full.
            DependencyDown: Postgres or S3 does not answer.
            Refused: S3 does not let us read.
        """
        while True:
            try:
                line = await self.child.receive()
            except ChildDiedError as error:
                raise ComparisonFailedError(str(error)) from None
            self.on_message(line)
            if isinstance(line, kind):
                return line
            if isinstance(line, Unsigned):
                await self.child.send(Signed(place=line.place, url=await self.sign(line.place)))
            if isinstance(line, ComparisonFailure):
                raise self._failure(line)

    def _failure(self, failed: ComparisonFailure) -> Exception:  # noqa: PLR0911  a table
        reason = failed.reason
        match failed.kind:
            case "reject":
                return Reject(reason)
            case "s3":
                return DependencyDown(S3, reason, place=reading(self.bucket))
            case "throttled":
                return NotYet(reason)
            case "denied":
                return Refused(S3, reason, place=reading(self.bucket))
            case "room":
                return WorkspaceFullError(reason)
            case "sql":
                return _of_postgres(failed)
            case _:
                return ComparisonFailedError(reason)


class WorkspaceFullError(Exception):
    """The disk is full where a comparison writes."""


def _of_postgres(failed: ComparisonFailure) -> Exception:
    text = f"{failed.reason} (SQLSTATE {failed.sqlstate})" if failed.sqlstate else failed.reason
    match meaning(failed.sqlstate):
        case SqlstateMeaning.DOWN | SqlstateMeaning.UNREADY:
            return DependencyDown("postgres", text)
        case SqlstateMeaning.REJECT:
            return Reject(text)
        case _:
            return ComparisonFailedError(text)
