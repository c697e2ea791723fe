"""A source whose answers are checked before they are used.

Proxies, captive portals and servers that only resemble SQS may answer anything.  A malformed answer counts as
no answer: the failure is counted, the call is tried again, and the process goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from orca_daemon.engine.errors import SourceError, SourceErrorKind
from orca_daemon.engine.message import Envelope
from orca_daemon.engine.source import EntryOutcome, Source
from orca_daemon.engine.tasks import being_cancelled

T = TypeVar("T")
NO_ANSWER = SourceErrorKind.UNAVAILABLE


class CheckedSource:
    """A `Source` over another: raises nothing but `SourceError`, returns nothing but what was asked for."""

    def __init__(self, inside: Source) -> None:
        self._inside = inside

    async def receive(
        self, limit: int, *, wait: float, lease: float, attempt_id: str | None = None
    ) -> Sequence[Envelope]:
        """See `Source`; a message that the answer holds twice is returned once."""
        got = _only(
            Envelope,
            await _answer(lambda: self._inside.receive(limit, wait=wait, lease=lease, attempt_id=attempt_id)),
        )
        by_id = {envelope.id: envelope for envelope in got}
        if len(by_id) == len(got):
            return got
        # If two messages were taken for one, one of them would be deleted for the work of the other.
        if any(same_id_only(by_id[envelope.id], envelope) for envelope in got):
            raise SourceError(NO_ANSWER, "the answer to a receive holds two messages under one id")
        return list(by_id.values())

    async def delete(self, envelopes: Sequence[Envelope]) -> Sequence[EntryOutcome]:
        """See `Source`."""
        return _one_for_each(await _answer(lambda: self._inside.delete(envelopes)), envelopes)

    async def hide(self, envelopes: Sequence[Envelope], seconds: float) -> Sequence[EntryOutcome]:
        """See `Source`."""
        return _one_for_each(await _answer(lambda: self._inside.hide(envelopes, seconds)), envelopes)

    async def send_dead_letter(self, envelope: Envelope, evidence: Mapping[str, object]) -> str:
        """See `Source`."""
        return await _answer(lambda: self._inside.send_dead_letter(envelope, evidence))


def same_id_only(one: Envelope, other: Envelope) -> bool:
    """Whether two messages have nothing in common but the id that the queue gives them."""
    return (one.body, one.group) != (other.body, other.group)


async def _answer(call: Callable[[], Awaitable[T]]) -> T:
    try:
        return await call()
    except SourceError:
        raise
    except asyncio.CancelledError as error:
        if being_cancelled():
            raise
        raise SourceError(NO_ANSWER, "cancelled, and not by us") from error
    except Exception as error:
        raise SourceError(NO_ANSWER, type(error).__name__) from error


def _one_for_each(outcomes: object, envelopes: Sequence[Envelope]) -> Sequence[EntryOutcome]:
    checked = _only(EntryOutcome, outcomes)
    if len(checked) != len(envelopes):
        raise SourceError(NO_ANSWER, f"the answer has {len(checked)} entries, not {len(envelopes)}")
    return checked


def _only(kind: type[T], answer: object) -> Sequence[T]:
    if not isinstance(answer, Sequence) or not all(isinstance(one, kind) for one in answer):
        raise SourceError(NO_ANSWER, f"the answer holds other things than {kind.__name__}s")
    return answer
