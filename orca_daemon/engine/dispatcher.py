"""The runs of one queue: started from its lanes while there are slots, and stopped."""

import asyncio
from collections.abc import Iterable, Iterator
from functools import partial

from orca_daemon.engine.dead_letter_sender import DeadLetterSender
from orca_daemon.engine.dead_lettering import DeadLettering
from orca_daemon.engine.expiry import Expiry
from orca_daemon.engine.in_flight_message import END_MARGIN, STOPPING, InFlightMessage, Isolation, Phase
from orca_daemon.engine.in_flight_table import InFlightTable
from orca_daemon.engine.lanes import Lane, Lanes, Run, StopReason
from orca_daemon.engine.queue_context import QueueContext
from orca_daemon.engine.run_executor import RunExecutor
from orca_daemon.engine.tasks import Tasks


class Dispatcher:
    """Starts runs until `close`.

    It writes its own state only between two awaits: in `pump`, which the poller, timers and done callbacks
    call, and in the done callbacks of runs.
    """

    def __init__(
        self,
        context: QueueContext,
        lanes: Lanes,
        in_flight: InFlightTable,
        dead_letter_sender: DeadLetterSender,
    ) -> None:
        self._route = context.route
        self._concurrency = context.options.concurrency
        self._lanes = lanes
        self._in_flight = in_flight
        self._permits = in_flight.permits
        self._dependencies = context.dependencies
        self._down = context.dependencies.places.down
        self._longest_stay = context.dependencies.rules.longest_lease - END_MARGIN - STOPPING
        self._expiry = Expiry(context, lanes, in_flight)
        dead_lettering = DeadLettering(context, lanes, in_flight, dead_letter_sender, self._return)
        self._executor = RunExecutor(context, in_flight, dead_lettering, self._return, self)
        self._runs: dict[Run, asyncio.Task[None]] = {}
        self._tasks = Tasks(context.failure)
        self._task_name = f"run of {context.name}"
        self.closed = self._emptying = False

    def __iter__(self) -> Iterator[Run]:
        return iter(tuple(self._runs))

    def __len__(self) -> int:
        return len(self._runs)

    @property
    def blocked(self) -> bool:
        """Whether a dependency that the work needs is down."""
        return self._dependencies.blocked(self._route.needs)

    @property
    def since(self) -> float | None:
        """When the oldest step under way (an attempt, or what follows it) began; settlements do not count."""
        working = [run for run in self._runs if _is_working(run)]
        return min((run.started for run in working), default=None)

    # Starting.

    def pump(self) -> None:
        """Start runs while there are slots, lanes that are ready, and nothing that forbids it."""
        while len(self._runs) < self._concurrency and not self.closed and not self.blocked:
            run = self._lanes.next_run()
            if run is None:
                return
            now = asyncio.get_running_loop().time()
            if self._expiry.due(run, now):
                self._put_back(run)
                self._expire(now)
            elif not self._down or not self._held_back(run):
                self._start(run, now)

    def _start(self, run: Run, now: float) -> None:
        # The delivery of its oldest message ends, too, and the message has to be given back before that.
        run.begin(now, self._route.time_limit, run.oldest + self._longest_stay)
        self._runs[run] = self._tasks.start(
            self._executor.execute(run), self._task_name, partial(self._ended, run)
        )

    def _ended(self, run: Run, task: asyncio.Task[None]) -> None:
        del self._runs[run]
        if task.cancelled():
            if run.stop is None:
                return  # the whole engine is being torn down
            self._return(run)
        elif task.exception():
            return  # the engine ends, and leases run out
        if self._down:
            self._dependencies.ended(run)
        self._free(run)

    # Runs whose messages are handled one after another; called by the task of the run.

    def cut(self, run: Run, number: int) -> None:
        """Return this message of a run and those behind it."""
        behind = run.messages[number:]
        for lane, part in run.parts:
            self._lanes.put_back(lane, [one for one in part if one in behind])
            self._in_flight.drop_lost(lane)
        run.shorten(number)

    async def narrow(self, run: Run, number: int) -> None:
        """A message of a run failed: return those behind it, delete those before it, leave it alone.

        Its lane stays busy until the deletes have ended, although this may be cancelled: another attempt at
        it could overtake a message that comes back.  `run.overtaken` tells whether one does.
        """
        done, failed, behind = run.messages[:number], run.messages[number], run.messages[number + 1 :]
        own = next(lane for lane, part in run.parts if failed in part)
        others = [lane for lane, _ in run.parts if lane is not own]
        handled = Run([(lane, [one for one in part if one in done]) for lane, part in run.parts], done)
        for lane, part in run.parts:
            self._lanes.put_back(lane, [one for one in part if one in behind])
            self._in_flight.drop_lost(lane)
        run.narrow(own, failed)
        run.settling += 1
        ended = asyncio.get_running_loop().create_future()

        def then() -> None:
            run.overtaken = any(one.lost for lane, part in handled.parts if lane is own for one in part)
            self._free_lanes(others)
            self.settled(run)
            if not ended.done():
                ended.set_result(None)

        self._in_flight.delete_later(handled, then, urgent=True)
        await ended

    def settled(self, run: Run) -> None:
        """A delete of a run has ended, before or after its task."""
        if not run.settling:
            return  # a standard queue: the lanes did not wait
        run.settling -= 1
        if not run.settling and run not in self._runs:
            self._free(run)

    def _free(self, run: Run) -> None:
        """The slot of a run is free, and its lanes are unless its deletes are still under way."""
        self._free_lanes([] if run.settling else [lane for lane, _ in run.parts])

    def _free_lanes(self, lanes: Iterable[Lane]) -> None:
        for lane in lanes:
            self._lanes.done(lane)
            if self._emptying:
                self._in_flight.release(self._lanes.cut(lane))
        self._permits.changed()
        self.pump()

    # Holding back, for a place that is down.

    def _held_back(self, run: Run) -> bool:
        """Hold a run back if it needs a place that is down; of several messages, only those that need it."""
        if len(run.messages) == 1:
            return self._held_alone(run)
        needing = [message for message in run.messages if self._dependencies.held_back(message)]
        for message in needing:
            message.isolate(Isolation.ALONE)
        if needing:
            self._put_back(run)
        return bool(needing)

    def _held_alone(self, run: Run) -> bool:
        [(lane, [message])] = run.parts
        if not self._dependencies.hold(message, partial(self._wake, lane, message)):
            return False
        self._lanes.put_back(lane, [message], park=True)
        self._lanes.done(lane)
        return True

    def _wake(self, lane: Lane, message: InFlightMessage) -> bool:
        """The place that this message waits for may be tried, or is up."""
        if not lane.parked or not lane.waiting or lane.waiting[0] is not message:
            return False
        self._unpark(lane)
        return True

    # Back into the lanes.

    def _put_back(self, run: Run) -> None:
        """Undo `next_run`: the run was not begun."""
        for lane, part in run.parts:
            self._lanes.put_back(lane, part)
            self._lanes.done(lane)

    def _return(self, run: Run, pause: float = 0.0) -> None:
        """Return a run's messages to the head of their lanes, for `pause` seconds at least."""
        for lane, part in run.parts:
            self._lanes.put_back(lane, part, park=pause > 0)
            self._in_flight.drop_lost(lane)
            if run.overtaken:
                self._in_flight.release(self._lanes.cut(lane))
            if lane.parked:
                asyncio.get_running_loop().call_later(pause, self._unpark, lane)

    def _unpark(self, lane: Lane) -> None:
        self._lanes.unpark(lane)
        self._permits.changed()
        self.pump()

    def expire(self, now: float) -> None:
        """Give back or dead-letter messages that have waited nearly as long as a delivery may last."""
        if not self.closed and self._expire(now):
            self.pump()

    def _expire(self, now: float) -> bool:
        changed = self._expiry.check(now, nothing_runs=self.blocked)
        for lane in changed:
            # If the head was taken away, its follower keeps what it met.
            if lane.waiting and lane.waiting[0].dead_letter_reason is not None:
                self._dependencies.forget_message(lane.waiting[0])
            self._lanes.unpark(lane)
        return bool(changed)

    # Stopping.

    def run_of(self, message: InFlightMessage) -> Run | None:
        """The run that a message is in."""
        return next((run for run in self._runs if message in run.messages), None)

    def cancel(self, run: Run, why: StopReason) -> None:
        """Stop a run that is at work."""
        # A settlement under way is not cancelled: it ends by itself, and a cancelled one could lose a delete.
        if run.stop is None and _is_working(run):
            run.cancelled(why, asyncio.get_running_loop().time())
            self._runs[run].cancel()

    def close(self) -> None:
        """Start no run any more."""
        self.closed = True

    def empty(self) -> None:
        """Give back what waits, now and when a run ends.  Call it after the last poll, which would get it."""
        self._emptying = True
        self._in_flight.release([message for lane in self._lanes for message in self._lanes.cut(lane)])

    async def idle(self) -> None:
        """Wait until nothing is at work."""
        await self._tasks.join()


def _is_working(run: Run) -> bool:
    return all(message.phase is Phase.RUNNING for message in run.messages)
