"""Handlers, and what became of the messages."""

from panels.panel import Panel, quantile, rate

HANDLERS = [
    Panel(
        title="Handler time",
        shows="Duration of a handler's calls: half, and 95 %, are done within it.",
        do="No limit, as a copy may take hours. If it grew, look at the calls to AWS and the wait for a "
        "connection.",
        queries={
            quantile(0.5, "handler_duration_seconds", "queue"): "{{queue}} p50",
            quantile(0.95, "handler_duration_seconds", "queue"): "{{queue}} p95",
        },
        unit="s",
        runbook="OrcaDaemonNoPermits",
    ),
    Panel(
        title="Failed attempts",
        shows="Calls of a handler that failed each second, by kind.",
        do="Red from 5 a minute: attempt.failed in the log has the class and the place. down is an outage.",
        queries={rate("handler_errors_total", "queue, error_class"): "{{queue}} {{error_class}}"},
        unit="ops",
        runbook="OrcaDaemonRetrying",
        red=0.0833,
    ),
    Panel(
        title="Messages per run",
        shows="Messages in one call of a handler, on average.",
        do="No limit. Status updates under load should come in tens.",
        queries={f"{rate('run_messages_sum', 'queue')} / {rate('run_messages_count', 'queue')}": "{{queue}}"},
        runbook="tuning.md#scaling",
    ),
    Panel(
        title="Failed attempts per message",
        shows="99 % of messages had at most so many failed attempts when they left.",
        do="Red from 2: attempt.failed in the log has the reasons.",
        queries={quantile(0.99, "message_attempts", "queue"): "{{queue}}"},
        runbook="OrcaDaemonRetrying",
        red=2,
    ),
    Panel(
        title="Receives per message",
        shows="99 % of messages were received at most so often when they left.",
        do="Red from 2: leases were lost, or processes ended. At maxReceiveCount SQS dead-letters a "
        "message itself.",
        queries={quantile(0.99, "message_receives", "queue"): "{{queue}}"},
        runbook="OrcaDaemonLeaseLost",
        red=2,
    ),
    Panel(
        title="Time in flight",
        shows="95 % of messages left within this time after they were received.",
        do="No limit. Much longer than Handler time: messages wait for their group, for a retry or a "
        "dependency.",
        queries={quantile(0.95, "held_seconds", "queue"): "{{queue}}"},
        unit="s",
        runbook="OrcaDaemonNoPermits",
    ),
    Panel(
        title="Dead-lettered, by reason",
        shows="Messages dead-lettered each second, by reason.",
        do="Red above 0: orca-daemon dlq list QUEUE has the reason of each.",
        queries={rate("dlq_messages_total", "queue, reason"): "{{queue}} {{reason}}"},
        unit="ops",
        runbook="OrcaDaemonDeadLetters",
        red=0.0001,
    ),
    Panel(
        title="Dead-lettered without notifying the requester",
        shows="Messages whose requester was not told, because telling failed five times.",
        do="Red above 0: notification.abandoned in the log; orca-daemon jobs --stuck 24h finds the "
        "recoveries.",
        queries={rate("notifications_abandoned_total", "queue"): "{{queue}}"},
        unit="ops",
        runbook="OrcaDaemonNotificationAbandoned",
        red=0.0001,
    ),
]
