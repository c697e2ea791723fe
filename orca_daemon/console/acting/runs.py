"""Carries out confirmed actions in the background, each once, and records how far they are."""

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog

from orca_daemon.console.acting.action import Action, Fields, Outcome
from orca_daemon.db.actions import OtherActionError
from orca_daemon.engine.errors import DependencyDown, SourceError
from orca_daemon.operations import actions as record
from orca_daemon.operations.recorded import AlreadyDoneError, Request, UnderWayError

if TYPE_CHECKING:
    from orca_daemon.console.context import ConsoleContext

QUICK = 2.0
"""Seconds that the answer to a confirmation waits for the action: most are done by then."""
_LOOK, _LOOKS = 0.2, 50
"""Seconds between two looks for the record of an action that records itself, and how many."""
_SIGN_OF_LIFE = 4.0
"""Seconds between two records of progress; `operations.actions` asks for one every five seconds."""
_log: Any = structlog.get_logger()


class Runs:
    """The actions that this process carries out now.  A visitor who leaves does not end them."""

    def __init__(self) -> None:
        self._tasks: dict[UUID, asyncio.Task[None]] = {}

    async def begin(
        self, console: "ConsoleContext", action: Action[Any], fields: Fields, action_id: UUID, who: str
    ) -> bool:
        """Begin an action, unless its id is known: then it happens, or has happened.  Returns which.

        Raises:
            OtherActionError: the id belongs to another action.
            DependencyDown, PostgresError: it cannot be recorded; nothing was done.
        """
        to_do = await _to_do(console, action, fields, action_id, who)
        # Looked up after the wait: a second click may have come meanwhile.
        if not to_do or action_id in self._tasks:
            console.metrics.actions.labels(action.name, "repeated").inc()
            return False
        _log.info("action.begun", action=action.name, action_id=str(action_id), who=who)
        run = _Run(console, action, fields, action_id, who)
        task = asyncio.create_task(run.run(), name=f"action {action.name}")
        self._tasks[action_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(action_id, None))
        return True

    def under_way(self, action_id: UUID) -> bool:
        """Whether this process carries out this action now."""
        return action_id in self._tasks

    async def settle(self, console: "ConsoleContext", action_id: UUID) -> None:
        """Wait for an action for a moment, and until it is recorded: its page is shown next."""
        task = self._tasks.get(action_id)
        if task is None:
            return
        await asyncio.wait({task}, timeout=QUICK)
        for _ in range(_LOOKS):
            if task.done() or await record.find(console.database, action_id):
                return
            await asyncio.wait({task}, timeout=_LOOK)

    async def stop(self) -> None:
        """Interrupt what runs; the record has no end then, and the same id does the rest later."""
        tasks = set(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def _to_do(
    console: "ConsoleContext", action: Action[Any], fields: Fields, action_id: UUID, who: str
) -> bool:
    """Record that it begins, unless it does so itself; returns whether it has to be carried out."""
    about = fields.model_dump(mode="json")
    if action.records:
        found = await record.find(console.database, action_id)
        if found and any(found.filter.get(name, value) != value for name, value in about.items()):
            raise OtherActionError(f"the id {action_id} belongs to another action: {found.what}")
        return found is None or found.finished_at is None
    begun = await record.begin(console.database, action_id, who=who, what=action.name, about=about)
    return begun.to_do


class _Run:
    """One action at work."""

    def __init__(
        self, console: "ConsoleContext", action: Action[Any], fields: Fields, action_id: UUID, who: str
    ) -> None:
        self._console, self._action, self._fields, self._id = console, action, fields, action_id
        self._request = Request(action_id, who)
        self._done = 0
        self._wanted: int | None = None

    async def run(self) -> None:
        """Carry it out, and record how it ended."""
        if self._action.records:
            outcome = await self._performed()
            if outcome.error:
                await self._record_refusal(outcome)
            self._tell(outcome)
            return
        showing = asyncio.create_task(self._show_progress())
        try:
            outcome = await self._performed()
        finally:
            showing.cancel()
        await record.finish(
            self._console.database,
            self._id,
            done=outcome.done,
            wanted=self._wanted,
            error=outcome.error,
            result=outcome.result,
        )
        self._tell(outcome)

    async def _record_refusal(self, outcome: Outcome) -> None:
        """Record an action that failed before it recorded itself; one that has begun can be resumed."""
        about = self._fields.model_dump(mode="json")
        if await record.find(self._console.database, self._id) is None:
            who = self._request.who
            await record.begin(self._console.database, self._id, who=who, what=self._action.name, about=about)
            await record.finish(self._console.database, self._id, done=0, error=outcome.error)

    def _tell(self, outcome: Outcome) -> None:
        how = "failed" if outcome.error else "done"
        self._console.metrics.actions.labels(self._action.name, how).inc()
        _log.info("action.finished", action=self._action.name, action_id=str(self._id), outcome=how)

    async def _performed(self) -> Outcome:
        try:
            return await self._action.perform(self._console, self._fields, self._progress, self._request)
        except (AlreadyDoneError, UnderWayError) as error:
            return Outcome(done=error.action.done)
        except DependencyDown as error:
            _log.warning("action.failed", action=self._action.name, reason=str(error))
            return Outcome(done=self._done, error=f"{error.dependency} did not answer")
        except (SourceError, ValueError) as error:
            return Outcome(done=self._done, error=str(error))
        except Exception as error:  # noqa: BLE001  the record must say that it ended
            _log.error("action.failed", action=self._action.name, exc_info=True)
            return Outcome(done=self._done, error=f"it failed ({type(error).__name__}); the log says why")

    def _progress(self, done: int, wanted: int | None) -> None:
        self._done, self._wanted = done, wanted

    async def _show_progress(self) -> None:
        while True:
            await asyncio.sleep(_SIGN_OF_LIFE)
            try:
                await record.progress(self._console.database, self._id, self._done, self._wanted)
            except Exception as error:  # noqa: BLE001  the action goes on without a sign of life
                _log.warning("action.progress_unrecorded", error=type(error).__name__)
