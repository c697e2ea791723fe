"""Messages on their way through the daemon."""

from panels.panel import Panel, Q, rate

MESSAGES = [
    Panel(
        title="Received",
        shows="Messages received each second, over all replicas.",
        do="No limit. 0 while messages wait: see Time since the last receive.",
        queries={rate("messages_received_total", "queue"): "{{queue}}"},
        unit="ops",
        runbook="OrcaDaemonNotPolling",
    ),
    Panel(
        title="Settled",
        shows="Messages that left each second, by outcome.",
        do="No limit. lease_lost should be 0; released means that work was given back.",
        queries={rate("messages_settled_total", "queue, outcome"): "{{queue}} {{outcome}}"},
        unit="ops",
        runbook="OrcaDaemonLeaseLost",
    ),
    Panel(
        title="In flight, by state",
        shows="Messages that the replicas hold: queued, running, settling.",
        do="No limit. queued that grows while running stays: a handler or a dependency is slow.",
        queries={f"sum by (queue, state) (orca_daemon_messages_held{Q})": "{{queue}} {{state}}"},
        runbook="OrcaDaemonNoPermits",
    ),
    Panel(
        title="Permits free",
        shows="How many more messages the fullest replica may receive; 0 while its receives wait for the "
        "limit.",
        do="Red at 0, if messages wait: raise the concurrency or add replicas; if nothing finishes, send "
        "SIGUSR1.",
        queries={f"min by (queue) (orca_daemon_permits_free{Q})": "{{queue}}"},
        runbook="OrcaDaemonNoPermits",
        red=1,
        red_below=True,
    ),
    Panel(
        title="Oldest in flight",
        shows="How long the oldest message has been held.",
        do="No limit, as a large copy may take hours. Above its attempt's limit it is stuck: send "
        "SIGUSR1, restart.",
        queries={
            f"max by (queue) (time() - (orca_daemon_oldest_held_timestamp_seconds{Q} > 0))": "{{queue}}"
        },
        unit="s",
        runbook="OrcaDaemonMessageStuck",
    ),
    Panel(
        title="Longest failure of one message at a dependency",
        shows="How long a message has failed at S3 or Postgres without it being known whose fault that is.",
        do="Red from a quarter of an hour: find the message by attempt.down in the log (level debug).",
        queries={
            f"max by (queue) (time() - (orca_daemon_unproven_wait_timestamp_seconds{Q} > 0))": "{{queue}}"
        },
        unit="s",
        runbook="OrcaDaemonUnprovenWait",
        red=900,
    ),
    Panel(
        title="On the queues: in flight and delayed",
        shows="Messages that SQS counts as received by any consumer, or as delayed; alike for each replica.",
        do="No limit. More in flight than the replicas hold: another consumer still reads the queue.",
        queries={
            f"max by (queue) (orca_daemon_queue_inflight_messages{Q})": "{{queue}} in flight",
            f"max by (queue) (orca_daemon_queue_delayed_messages{Q})": "{{queue}} delayed",
        },
        runbook="OrcaDaemonLeaseLost",
    ),
    Panel(
        title="Bytes in flight",
        shows="Bytes of the bodies that the replicas hold.",
        do="No limit. If memory is short, lower engine.held.",
        queries={f"sum by (queue) (orca_daemon_message_bytes_held{Q})": "{{queue}}"},
        unit="bytes",
        runbook="OrcaDaemonRestarting",
    ),
    Panel(
        title="FIFO groups in flight",
        shows="Message groups with a message in flight: so many runs can be at work.",
        do="No limit. 1 while messages wait: all are in one group, and more replicas do not help.",
        queries={f"sum by (queue) (orca_daemon_fifo_lanes{Q})": "{{queue}}"},
        runbook="OrcaDaemonQueueDelay",
    ),
]
