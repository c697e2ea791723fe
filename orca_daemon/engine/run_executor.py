"""One run: attempt, decide, apply.

Between two attempts the messages of a run are back at the head of their lanes: nothing here waits for a
retry.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from orca_daemon.engine import places
from orca_daemon.engine.dead_lettering import DeadLettering, GiveBack
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
from orca_daemon.engine.events import Attempted, AttemptOutcome
from orca_daemon.engine.in_flight_message import InFlightMessage, Isolation
from orca_daemon.engine.in_flight_table import InFlightTable
from orca_daemon.engine.lanes import Run, StopReason
from orca_daemon.engine.message import Delivery
from orca_daemon.engine.queue_context import QueueContext
from orca_daemon.engine.tasks import being_cancelled
from orca_daemon.engine.verdict import Decision, Failure, Next, decide

OUTCOMES: Mapping[type[BaseException], AttemptOutcome] = {
    Reject: AttemptOutcome.REJECTED,
    DependencyDown: AttemptOutcome.DOWN,
    Refused: AttemptOutcome.REFUSED,
    NotYet: AttemptOutcome.EARLY,
}
DURABLE = Decision(Next.DELETE)
REPEAT = Decision(Next.WAIT)


class StoppedError(Exception):
    """The attempt was cancelled by the engine, for a reason that is not its messages' fault."""


class Turns(Protocol):
    """What becomes of the lanes of a run, and of the messages of one that are handled one after another."""

    closed: bool
    """Whether nothing more may be begun."""

    async def narrow(self, run: Run, number: int) -> None:
        """Delete the messages before this one, return those behind it, and leave it alone in the run."""

    def cut(self, run: Run, number: int) -> None:
        """Return this message and those behind it."""

    def settled(self, run: Run) -> None:
        """A delete of the run has ended."""


class RunExecutor:
    """Executes runs of one queue, each in a task of its own that the dispatcher starts and may cancel."""

    def __init__(
        self,
        context: QueueContext,
        in_flight: InFlightTable,
        dead_lettering: DeadLettering,
        give_back: GiveBack,
        turns: Turns,
    ) -> None:
        self._context = context
        self._route = context.route
        self._dependencies = context.dependencies
        self._in_flight = in_flight
        self._dead_lettering = dead_lettering
        self._give_back = give_back
        self._turns = turns

    async def execute(self, run: Run) -> None:
        """Bring a run one step further: its messages are deleted, dead-lettered, or back in their lanes."""
        if run.messages[0].dead_letter_reason is not None:
            await self._dead_lettering.end(run)
            return
        one_by_one = self._route.pipelined
        error = await (self._attempt_each(run) if one_by_one else self._attempt(run))
        decision = DURABLE if error is None else await self._decide(run, error)
        await self._apply(run, decision, error)

    # Attempt.

    async def _attempt_each(self, run: Run) -> BaseException | None:
        """Attempt one message after another; the first failure ends it.

        Then what was handled is deleted, what was not begun goes back, and the run is the failed message.
        Nothing more is begun once the queue is closed, and no message whose lease is over.
        """
        for number, message in enumerate(run.messages):
            now = asyncio.get_running_loop().time()
            if number and (self._turns.closed or message.lost or message.deadline <= now):
                self._turns.cut(run, number)
                break
            run.turn_to(message, now, self._route.time_limit)
            if error := await self._attempt(run):
                if len(run.messages) > 1:
                    await self._turns.narrow(run, number)
                return StoppedError(StopReason.LOST) if run.overtaken else error
        return None

    async def _attempt(self, run: Run) -> BaseException | None:
        """Call the handler once; its error is returned, not raised.

        A cancellation that the engine asked for (`run.stop`) ends here, and one of the whole engine goes on.
        A cancellation raised inside the handler, by a task that it awaited, is a failure like any other.
        """
        now, current = asyncio.get_running_loop().time, run.current
        begun = now()
        error: BaseException | None = None
        places.listen(partial(self._dependencies.succeeded, run))
        try:
            await self._route.handle(
                [
                    Delivery(one.decoded, one.envelope, one.attempts + 1, one.facts, begun - one.received)
                    for one in current
                ]
            )
        except asyncio.CancelledError as problem:
            if run.stop is None and being_cancelled():
                raise
            error = problem
        except Exception as problem:  # noqa: BLE001  any error is an outcome
            error = problem
        if run.stop is not None:
            _forget_cancellation()
            if error is not None:
                error = self._stopped(run, run.stop)
        self._report(run, current, error, now() - run.started)
        run.attempted(now(), self._route.time_limit)
        if run.succeeded:
            self._dependencies.cleared(run, error)
        if error is None:
            self._dependencies.done(run, self._route.needs)
        return error

    def _stopped(self, run: Run, why: StopReason) -> Exception:
        """The error of an attempt that the engine stopped, whatever the handler raised."""
        if why is StopReason.EXPIRED:
            return TimeoutError(f"not done within {self._route.time_limit:.0f} s")
        # The first of several messages is charged, because there is no time to find out which of them it is.
        run.current[0].attempt_stopped(by_its_end=why is StopReason.ENDED)
        return StoppedError(why)

    def _report(
        self, run: Run, current: Sequence[InFlightMessage], error: BaseException | None, seconds: float
    ) -> None:
        for message in current:
            message.attempt_ended(seconds)
        envelopes = tuple([message.envelope for message in current])
        reported = None if isinstance(error, StoppedError) else error
        attempt = current[0].attempts + 1
        self._context.observe(
            Attempted(self._context.name, envelopes, attempt, seconds, reported, _outcome(run, error))
        )

    # Decide.

    async def _decide(self, run: Run, error: BaseException) -> Decision:
        """Choose the next step after a failure; a dependency may be probed for that."""
        dependencies, needs = self._dependencies, self._route.needs
        max_attempts, alone = self._context.options.max_attempts, len(run.messages) == 1
        match error:
            case StoppedError():
                return REPEAT
            case DependencyDown() | Refused():
                decision = await dependencies.failed(run, error, needs=needs, most=max_attempts)
                if decision is not None:
                    return decision
            case NotYet() if alone:
                return Decision(Next.WAIT, dependencies.not_yet(run))
        failure = Failure(error, len(run.messages), run.messages[0].attempts + alone)
        return decide(failure, max_attempts)

    # Apply.

    async def _apply(self, run: Run, decision: Decision, error: BaseException | None) -> None:
        """Take the step that was decided."""
        first = run.messages[0]
        if decision.charges:
            first.attempts_failed(decision.charges)
        match decision.next:
            case Next.DELETE:
                # On a FIFO queue the next run of a group starts only when this one's deletes are confirmed.
                fifo = self._context.facts.fifo
                run.settling += fifo
                self._in_flight.delete_later(run, partial(self._turns.settled, run), urgent=fifo)
            case Next.SPLIT:
                narrower = Isolation.GROUP if len(run.parts) > 1 else Isolation.ALONE
                for message in run.messages:
                    message.isolate(narrower)
                self._give_back(run, 0.0)
            case Next.WAIT:
                self._give_back(run, decision.pause)
            case Next.RETRY:
                pause = self._route.backoff.delay(first.attempts, self._context.rng)
                self._give_back(run, pause)
            case Next.DEAD_LETTER:
                # The failures of its work have no bearing on the notification.
                self._dependencies.forget_message(first)
                first.give_up(decision.reason, type(error).__name__, decision.cause)
                await self._dead_lettering.end(run)


def _forget_cancellation() -> None:
    if task := asyncio.current_task():
        task.uncancel()


def _outcome(run: Run, error: BaseException | None) -> AttemptOutcome:
    if error is None:
        return AttemptOutcome.DONE
    if run.stop is not None:
        return AttemptOutcome(run.stop)
    return next(
        (outcome for kind, outcome in OUTCOMES.items() if isinstance(error, kind)), AttemptOutcome.FAILED
    )
