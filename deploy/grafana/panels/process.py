"""The process, its database connections and its drain."""

from panels.panel import EVERY, I, Panel, quantile, rate

PROCESS = [
    Panel(
        title="CPU",
        shows="CPU seconds each second, for each replica; 100 % is one core.",
        do="No limit. Near the container's limit: raise it, or add replicas.",
        queries={f"sum by (instance) (rate(process_cpu_seconds_total{I}{EVERY}))": "{{instance}}"},
        unit="percentunit",
        runbook="OrcaDaemonLoopLag",
    ),
    Panel(
        title="Memory",
        shows="Resident memory of each replica, without the child process of a comparison.",
        do="No limit. Near the container's limit: raise it, or lower engine.held.",
        queries={f"sum by (instance) (process_resident_memory_bytes{I})": "{{instance}}"},
        unit="bytes",
        runbook="OrcaDaemonRestarting",
    ),
    Panel(
        title="Event loop lag",
        shows="99 % of timers run at most so late.",
        do="Red from 5 seconds: leases may be lost. Check CPU throttling, then send SIGUSR1.",
        queries={quantile(0.99, "event_loop_lag_seconds", "instance", I): "{{instance}}"},
        unit="s",
        runbook="OrcaDaemonLoopLag",
        red=5,
    ),
    Panel(
        title="Wait for a database connection",
        shows="99 % of transactions wait at most so long for a free connection.",
        do="Red from 1 second: look for slow statements and locks, then raise database.pool_size.",
        queries={quantile(0.99, "db_pool_wait_seconds", "instance", I): "{{instance}}"},
        unit="s",
        runbook="OrcaDaemonPoolWait",
        red=1,
    ),
    Panel(
        title="Database connections in use",
        shows="Connections of each replica that run a transaction.",
        do="No limit. At database.pool_size for long: see the wait beside it.",
        queries={f"sum by (instance) (orca_daemon_db_pool_in_use{I})": "{{instance}}"},
        runbook="OrcaDaemonPoolWait",
    ),
    Panel(
        title="Dependencies that are up",
        shows="0: a replica knows the dependency to be down.",
        do="Red at 0: dependency.down in the log has the reason.",
        queries={f"min by (dependency) (orca_daemon_dependency_up{I})": "{{dependency}}"},
        runbook="OrcaDaemonDependencyDown",
        red=1,
        red_below=True,
    ),
    Panel(
        title="Log lines dropped",
        shows="Log lines that each replica dropped each second.",
        do="Red above 0: the log reader has stopped, or its disk is full. Messages are still processed.",
        queries={rate("log_lines_dropped_total", "instance", I): "{{instance}}"},
        unit="ops",
        runbook="OrcaDaemonLogLinesDropped",
        red=0.0001,
    ),
    Panel(
        title="Spans of traces",
        shows="Spans that ended: exported, failed to be, or dropped because too many waited.",
        do="No limit. If they fail or are dropped, look at the collector. Messages are still processed.",
        queries={rate("trace_spans_total", "outcome", I): "{{outcome}}"},
        unit="ops",
        runbook="traces.md#if-the-collector-is-slow-or-down",
    ),
    Panel(
        title="Drain: part of its time used",
        shows="How much of engine.drain_seconds a replica that stops has used.",
        do="Red from 80 %: raise engine.drain_seconds together with the platform's grace period.",
        queries={
            f"((time() - orca_daemon_drain_started_timestamp_seconds{I}) "
            f"/ orca_daemon_drain_limit_seconds{I}) "
            f"and on (instance) orca_daemon_draining{I} == 1": "{{instance}}"
        },
        unit="percentunit",
        runbook="OrcaDaemonDrainSlow",
        red=0.8,
    ),
    Panel(
        title="Drain time",
        shows="95 % of drains took at most so long.",
        do="No limit. Near engine.drain_seconds: raise it together with the platform's grace period.",
        queries={quantile(0.95, "drain_duration_seconds", "instance", I): "{{instance}}"},
        unit="s",
        runbook="OrcaDaemonDrainSlow",
    ),
    Panel(
        title="Builds",
        shows="The version that each replica runs, and of what it runs on.",
        do="No limit. Two versions for long: a rollout has stopped half-way.",
        queries={
            f"max by (instance, version, python, aiobotocore, botocore) (orca_daemon_build_info{I})": ""
        },
        runbook="upgrade.md#the-daemon",
        kind="table",
        width=24,
        height=6,
    ),
    Panel(
        title="Not steered",
        shows="Replicas that do not read from the database what operators want; what they read last holds.",
        do="Red from 1: steering.off or steering.unread in the log has the reason. SIGUSR2 pauses a replica.",
        queries={f"count(orca_daemon_steering_up{I} == 0) or vector(0)": "replicas"},
        runbook="steering",
        red=1,
    ),
    Panel(
        title="Actions of operators",
        shows="Actions that ended each second, by verb, as every replica reads them in the database.",
        do="No limit. orca-daemon status says who did what.",
        queries={rate("operator_actions_total", "instance, what", I): "{{instance}} {{what}}"},
        unit="ops",
        runbook="steering",
    ),
    Panel(
        title="Records of dead letters",
        shows="Dead letters each second whose facts were recorded in the database, or dropped.",
        do="No limit. dropped: the database was away for long; the queues have all dead letters.",
        queries={rate("dead_letter_records_total", "outcome", I): "{{outcome}}"},
        unit="ops",
        runbook="steering",
    ),
]
