"""Puts traces around the work of the process, if the environment asks for them: runs, calls, transactions."""

import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection

from orca_daemon import __version__
from orca_daemon.aws.clients import Clients
from orca_daemon.aws.metering import error_type, surround
from orca_daemon.db.database import Database
from orca_daemon.engine.engine import Binding
from orca_daemon.engine.events import Event
from orca_daemon.ops import logs
from orca_daemon.ops.metrics.traces import TraceMetrics
from orca_daemon.ops.tracing import record_with, wanted
from orca_daemon.settings import Settings
from orca_daemon.wire.queue_url import normalised

if TYPE_CHECKING:
    from orca_daemon.ops.tracing.export import Tracing

P = ParamSpec("P")
T = TypeVar("T")
_log: Any = structlog.get_logger()


class Traces:
    """The traces of one process; each method changes nothing while they are off."""

    def __init__(self) -> None:
        self._tracing: Tracing | None = None
        self._observe: Callable[[Event], None] | None = None

    def start(self, stack: AsyncExitStack, metrics: TraceMetrics) -> None:
        """Import OpenTelemetry and start to export, if the environment asks for it; at worst, warn."""
        asked = wanted(os.environ)
        problem = asked.problem
        if asked.on:
            try:
                self._start(stack, metrics)
            except ImportError as error:
                problem = f"{error.name} is missing: pip install 'orca-daemon[otel]'"
            except Exception as error:  # noqa: BLE001  what the library refuses must not stop the work
                problem = f"OpenTelemetry refuses its variables: {error}"
        if problem:
            _log.warning("traces.off", reason=problem)

    def _start(self, stack: AsyncExitStack, metrics: TraceMetrics) -> None:
        from orca_daemon.ops.tracing import calls, runs
        from orca_daemon.ops.tracing.export import Tracing
        from orca_daemon.ops.tracing.log_ids import add_ids

        self._tracing = Tracing(__version__)
        self._observe = runs.observe
        stack.push_async_callback(self._tracing.close)
        metrics.watch(self._tracing.counts.read)
        record_with(partial(calls.record_stage, self._tracing.tracer))
        stack.callback(record_with, None)
        logs.process_first(add_ids)
        _log.info("traces.on")

    def around_calls(self, clients: Clients) -> None:
        """Trace the calls of the clients."""
        if self._tracing is not None:
            from orca_daemon.ops.tracing.calls import CallTracer

            surround(clients, CallTracer(self._tracing.tracer, error_type))

    def around_runs(self, bound: Sequence[Binding], settings: Settings) -> list[Binding]:
        """The queues, with routes whose runs are traced."""
        if self._tracing is None:
            return list(bound)
        from orca_daemon.ops.tracing.runs import RunTracer

        tracer = self._tracing.tracer
        urls = {name: normalised(queue.url or "") for name, queue in settings.bound.items()}
        return [
            replace(binding, route=RunTracer(tracer, urls[binding.name]).traced(binding.route))
            for binding in bound
        ]

    def database(self, database: Callable[[type[Database]], Database]) -> Database:
        """Make the database: `database` is called with the class to make it of."""
        if self._tracing is None:
            return database(Database)
        made = database(TracedDatabase)
        assert isinstance(made, TracedDatabase)  # noqa: S101  the line above
        made.tracing = self._tracing
        return made

    def observer(self, observe: Callable[[Event], None]) -> Callable[[Event], None]:
        """An observer that also ends spans."""
        end = self._observe
        if end is None:
            return observe

        def both(event: Event) -> None:
            observe(event)
            end(event)

        return both


class TracedDatabase(Database):
    """A database whose transactions are spans."""

    tracing: "Tracing"

    async def transact(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """See `Database`."""
        from orca_daemon.ops.tracing.calls import transaction

        with transaction(self.tracing.tracer, _name(work)):
            return await super().transact(work, *args, **kwargs)

    async def stream(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """See `Database`."""
        from orca_daemon.ops.tracing.calls import transaction

        with transaction(self.tracing.tracer, _name(work), "stream"):
            return await super().stream(work, *args, **kwargs)


def _name(work: Callable[..., object]) -> str:
    """The full name of a function, as `code.function.name` has it."""
    function = work.func if isinstance(work, partial) else work
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    return f"{module}.{name}" if name else type(function).__name__
