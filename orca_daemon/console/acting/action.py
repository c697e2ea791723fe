"""What an action of the console consists of; `catalog` lists all."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from orca_daemon.operations.advice import Advice
from orca_daemon.operations.recorded import Request

if TYPE_CHECKING:
    from orca_daemon.console.context import ConsoleContext

Progress = Callable[[int, int | None], None]
"""Called with the number of things that are done so far, and that are wanted (None: as it was)."""


class Fields(BaseModel):
    """The fields of an action's form: texts and numbers only, no secrets, because they are recorded."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, str_max_length=4096)


F = TypeVar("F", bound=Fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an action will do."""

    sentence: str
    """`Send 12 dead letters of recovery back to their queue.`"""
    count: int | None
    """How many things it is about; None if that cannot be known before."""
    about: bool = False
    """Whether the count is approximate, as all counts of SQS are."""
    facts: Sequence[tuple[str, str]] = ()
    """Names and values, shown as a list."""
    warning: str = ""
    advice: Sequence[Advice] = ()
    """What to do about the things that this action cannot help."""
    possible: bool = True
    """Whether there is anything to do: else nothing can be confirmed."""
    back: str = "/"
    """The page that offers the action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an action did."""

    done: int
    result: Mapping[str, Any] = field(default_factory=dict)
    """JSON, for the page of the action; no secrets, no rows, no bodies."""
    error: str | None = None
    """Why it failed, or what it did not do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(Generic[F]):
    """One action.  After a crash `perform` is called again with the same fields, and does the rest."""

    name: str
    """The verb, as the record has it and its address ends: `redrive`."""
    title: str
    """`Send dead letters back`."""
    fields: type[F]
    preview: Callable[["ConsoleContext", F], Awaitable[Preview]]
    """Changes nothing.  Raises ValueError, with a sentence, if the fields name what is not there."""
    perform: Callable[["ConsoleContext", F, Progress, Request], Awaitable[Outcome]]
    """The request says who acts, under which id."""
    records: bool = False
    """Whether `perform` records the action itself, and goes on where one of this id was cut short."""
    ask: Sequence[str] = ()
    """Fields for which the preview asks, because the page that offers the action does not."""
