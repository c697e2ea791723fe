"""The daemon's side of the talk with the child: listens, signs what it asks for, raises what it reports."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from orca_daemon.aws.place_errors import S3, reading
from orca_daemon.db.failures import Meaning, meaning
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
from orca_daemon.reconcile.process import Child, ChildDied
from orca_daemon.reconcile.protocol import Failed, Line, Signed, Unsigned

E = TypeVar("E", bound=Line)
Hear = Callable[[Line], None]
Sign = Callable[[int], Awaitable[str]]
"""Makes another URL of the data file at a place."""


class NotDone(Exception):  # noqa: N818  what became of an attempt
    """The comparison failed, and another attempt may succeed."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One talk with a child.

    Args:
        child: who speaks.
        hear: told all that it says.
        bucket: where the data files are; empty for a listing that lies in Postgres.
        sign: makes URLs of them.
    """

    child: Child
    hear: Hear
    bucket: str
    sign: Sign

    async def until(self, kind: type[E]) -> E:
        """Listen until it says this.

        Raises:
            NotDone: it died, or failed in a way that may pass.
            Reject: no retry can help.
            NotYet: S3 asks to slow down.
            NoRoom: the disk is full.
            DependencyDown: Postgres or S3 does not answer.
            Refused: S3 does not let us read.
        """
        while True:
            try:
                line = await self.child.hear()
            except ChildDied as error:
                raise NotDone(str(error)) from None
            self.hear(line)
            if isinstance(line, kind):
                return line
            if isinstance(line, Unsigned):
                await self.child.tell(Signed(place=line.place, url=await self.sign(line.place)))
            if isinstance(line, Failed):
                raise self._failure(line)

    def _failure(self, failed: Failed) -> Exception:  # noqa: PLR0911  a table
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
                return NoRoom(reason)
            case "sql":
                return _of_postgres(failed)
            case _:
                return NotDone(reason)


class NoRoom(Exception):  # noqa: N818  a state of the disk
    """The disk is full where a comparison writes."""


def _of_postgres(failed: Failed) -> Exception:
    said = f"{failed.reason} (SQLSTATE {failed.sqlstate})" if failed.sqlstate else failed.reason
    match meaning(failed.sqlstate):
        case Meaning.DOWN | Meaning.UNREADY:
            return DependencyDown("postgres", said)
        case Meaning.REJECT:
            return Reject(said)
        case _:
            return NotDone(said)
