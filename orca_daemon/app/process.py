"""Builds the parts of one daemon process, in the order in which they are needed."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import structlog

from orca_daemon import __version__
from orca_daemon.app import bindings, gauges, steering
from orca_daemon.app.activity import Activity
from orca_daemon.app.checkup.settings import handlers
from orca_daemon.app.dead_letter_records import DeadLetterRecords
from orca_daemon.app.pauses import Pauses
from orca_daemon.app.process_state import Reporter
from orca_daemon.app.tracing import Traces
from orca_daemon.aws.clients import Clients, connect
from orca_daemon.aws.metering import meter
from orca_daemon.aws.operations import OPERATIONS
from orca_daemon.aws.secret_reader import SecretReader
from orca_daemon.db.address import DEPENDENCY
from orca_daemon.db.database import Database
from orca_daemon.engine.charges import Rules
from orca_daemon.engine.engine import Drained, Engine, EngineOptions
from orca_daemon.engine.events import Event
from orca_daemon.engine.state import EngineState
from orca_daemon.ops import health, http, log_events, logs, systemd
from orca_daemon.ops.emf.emitter import Emitter
from orca_daemon.ops.emf.lines import Identity
from orca_daemon.ops.exits import StartConfigurationError
from orca_daemon.ops.metrics import Metrics
from orca_daemon.queues.services import Services
from orca_daemon.settings import Settings, SettingsError
from orca_daemon.settings.changes import Changes, compared

_log: Any = structlog.get_logger()


class Process:
    """One daemon: `start`, `run`, `stop`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.notifier = systemd.Notifier()
        self._limits = health.HealthLimits.of(wait=settings.engine.wait)
        self._metrics = Metrics(handlers(settings), operations=OPERATIONS)
        self._metrics.process.drain_limit.set(settings.engine.drain_seconds)
        self._metrics.watch(self.state)
        self._lag = health.LoopLag(self._metrics.process.loop_lag.observe)
        self._traces = Traces()
        self._began = time.monotonic()
        self._engine: Engine | None = None
        self._gauges: gauges.Gauges | None = None
        self._start_wait: health.StartWait | None = None
        self._activity = Activity()
        self._records = DeadLetterRecords(self._metrics.steering.records.labels("dropped").inc)
        self._pauses: Pauses | None = None
        self._reporter: Reporter | None = None
        self._steering: steering.Steering | None = None

    async def start(self, stack: AsyncExitStack) -> Engine:
        """Open the port, connect, read and judge the queues and the database, and make the engine.

        Raises:
            StartConfigurationError: something is missing or denied, and waiting will not fix it.
        """
        await self._open_port(stack)
        await self._emit_metrics(stack)
        self._traces.start(stack, self._metrics.traces)
        clients = await self._connect(stack)
        services = Services(
            settings=self.settings,
            clients=clients,
            database=self._database(clients, stack),
            metrics=self._metrics,
        )
        engine = self.settings.engine
        bound = await bindings.bind(services, self._wait_for)
        probes = bindings.probes(services, bound)
        self._gauges = gauges.Gauges(
            services,
            services.database if DEPENDENCY in probes else None,
            {binding.name: binding.facts.dead_letter for binding in bound},
        )
        self._records.retentions = self._gauges.dead_letter_retentions
        for binding in bound:
            self._metrics.queues.configured(binding.name, binding.facts)
            self._metrics.steering.retention.labels(binding.name).set(binding.facts.retention)
            self._gauges.retentions[binding.name] = binding.facts.retention
        self._engine = Engine(
            self._traces.around_runs(bound, self.settings),
            probes=probes,
            drain_seconds=engine.drain_seconds,
            observe=self._traces.observer(self._observe),
            options=EngineOptions(rules=Rules(patience=engine.patience), about={"version": __version__}),
        )
        await self._steer(self._engine, services, self._gauges, stack)
        return self._engine

    async def _steer(
        self,
        engine: Engine,
        services: Services,
        read: gauges.Gauges,
        stack: AsyncExitStack,
    ) -> None:
        """Pause what is to be paused before the first receive."""
        pauses = self._pauses = Pauses(engine, paused_by(self.settings))
        self._reporter = Reporter(
            engine=engine,
            pauses=pauses,
            activity=self._activity,
            work=services.work,
            retentions=read.retentions,
            waiting=read.waiting,
        )
        database = None
        if self.settings.database.configured:
            database = steering.own_connection(self.settings.database, SecretReader(services.clients))
            stack.callback(database.close)
        self._steering = steering.Steering(
            database, pauses, self._reporter, self._records, self._metrics.steering
        )
        stack.push_async_callback(self._steering.leave)
        await self._steering.first()

    async def run(self) -> Drained:
        """Consume until `stop`, then drain."""
        if self._engine is None or self._gauges is None or self._steering is None:
            raise RuntimeError("the process was not started")
        side_tasks = {
            "loop lag": self._lag.run(),
            "watchdog": systemd.watch(self.notifier, self._live, self.state),
            "gauges": self._gauges.run(),
            "steering": self._steering.run(),
        }
        _log.info("ready", seconds=round(time.monotonic() - self._began, 3))
        return await self._engine.run(side_tasks)

    def stop(self) -> None:
        """Begin the drain."""
        self.notifier.stopping()
        if self._engine is not None:
            self._engine.stop()

    def toggle_pause(self) -> None:
        """Pause the intake, or resume it."""
        if self._engine is None:
            _log.warning("pause.refused", reason="the start is not complete")
        else:
            self._engine.set_paused(paused=not self._engine.paused)

    def apply(self, settings: Settings) -> Changes:
        """Apply those of the settings that can change at run time; returns what changed."""
        changes = compared(self.settings, settings)
        self.settings = changes.applied_to(self.settings, settings)
        logs.set_level(self.settings.log.level)
        if self._pauses is not None:
            self._pauses.settings_say(paused_by(self.settings))
        return changes

    def state(self) -> EngineState:
        """The engine's state; an empty one before the engine is made."""
        return EngineState() if self._engine is None else self._engine.state()

    def _observe(self, event: Event) -> None:
        self._metrics.observe(event)
        log_events.observe(event)
        self._activity.observe(event)
        self._records.observe(event)

    async def _connect(self, stack: AsyncExitStack) -> Clients:
        try:
            clients = await stack.enter_async_context(connect(self.settings))
        except SettingsError as error:
            raise StartConfigurationError(str(error)) from error
        meter(clients, self._metrics.aws.called)
        self._traces.around_calls(clients)
        return clients

    async def _open_port(self, stack: AsyncExitStack) -> None:
        address = self.settings.http
        try:
            url = await stack.enter_async_context(
                http.serve(
                    address.host,
                    address.port,
                    metrics=self._metrics.exposition,
                    live=self._live,
                    ready=self._ready,
                    state=self._page,
                )
            )
        except OSError as error:
            raise StartConfigurationError(
                f"cannot listen on {address.host}:{address.port} ({error.strerror}): set ORCA_HTTP__PORT, "
                "or 0 for any free port"
            ) from error
        _log.info("http.listening", url=url)

    async def _emit_metrics(self, stack: AsyncExitStack) -> None:
        metrics = self.settings.metrics
        if metrics.emf:
            deployment = metrics.deployment or self.settings.database.prefix or "orca"
            emitter = Emitter(self._metrics, Identity(metrics.namespace, deployment), logs.put_reserved)
            await stack.enter_async_context(emitter.emitting())

    def _database(self, clients: Clients, stack: AsyncExitStack) -> Database | None:
        if not self.settings.database.configured:
            return None
        secrets = SecretReader(clients)
        database = self._traces.database(lambda kind: kind(self.settings.database, secrets))
        database.watch(self._metrics.database.wait.observe)
        self._metrics.database.in_use.set_function(lambda: database.in_use)
        stack.callback(database.close)
        return database

    async def _page(self) -> str:
        return "{}" if self._reporter is None else await self._reporter.page()

    def _live(self) -> Sequence[health.Check]:
        now = asyncio.get_running_loop().time()
        return health.liveness(self.state(), self._limits, now=now, loop_lag=self._lag.latest)

    def _ready(self) -> Sequence[health.Check]:
        now = asyncio.get_running_loop().time()
        return health.readiness(self.state(), self._limits, now=now, start_wait=self._start_wait)

    def _wait_for(self, wait: health.StartWait) -> None:
        self._start_wait = wait
        self.notifier.starting(wait.describe(asyncio.get_running_loop().time()))


def paused_by(settings: Settings) -> frozenset[str]:
    """The queues that the settings pause."""
    return frozenset(name for name, queue in settings.bound.items() if queue.paused)
