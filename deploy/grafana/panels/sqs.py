"""SQS and other calls to AWS."""

from panels.panel import I, Panel, Q, quantile, rate

SQS = [
    Panel(
        title="Receives",
        shows="Receives each second, by outcome.",
        do="No limit, but error and throttled should be 0: poll.failed in the log has the reason.",
        queries={rate("polls_total", "queue, outcome"): "{{queue}} {{outcome}}"},
        unit="ops",
        runbook="OrcaDaemonNotPolling",
    ),
    Panel(
        title="Lease extensions",
        shows="Requests to extend leases each second, by outcome.",
        do="No limit. gone: SQS does not know the message any more; failed: lease.not_extended in the log.",
        queries={rate("lease_extensions_total", "queue, outcome"): "{{queue}} {{outcome}}"},
        unit="ops",
        runbook="OrcaDaemonLeaseLost",
    ),
    Panel(
        title="Lease left when settled",
        shows="The 5 % of messages with the least had at most so much of their lease left.",
        do="Red below 10 seconds: deletes come late. Look at event loop lag and at the calls to SQS.",
        queries={quantile(0.05, "lease_remaining_seconds", "queue"): "{{queue}}"},
        unit="s",
        runbook="OrcaDaemonLeaseLost",
        red=10,
        red_below=True,
    ),
    Panel(
        title="Failed settlements",
        shows="Failed attempts to delete, give back, notify or dead-letter each second; each is repeated.",
        do="Red above 0 for long: settlement.failed in the log has the reason, usually a missing permission.",
        queries={rate("settlement_failures_total", "queue, operation"): "{{queue}} {{operation}}"},
        unit="ops",
        runbook="OrcaDaemonCannotDeadLetter",
        red=0.0001,
    ),
    Panel(
        title="Calls to AWS",
        shows="Calls each second, by operation and outcome.",
        do="No limit, but throttled and error should be few. throttled: ask AWS for more, or set "
        "copies.parts.",
        queries={
            rate("aws_request_duration_seconds_count", "operation, outcome", I): "{{operation}} {{outcome}}"
        },
        unit="ops",
        runbook="OrcaDaemonDependencyDown",
    ),
    Panel(
        title="Duration of calls to AWS",
        shows="95 % of calls are answered within this time. A long poll waits on purpose.",
        do="No limit. If all operations are slow, look at the network and the CPU.",
        queries={quantile(0.95, "aws_request_duration_seconds", "operation", I): "{{operation}}"},
        unit="s",
        runbook="OrcaDaemonDependencyDown",
    ),
    Panel(
        title="Attributes of the queues",
        shows="What each daemon read at its start.",
        do="No limit. dead_letter false: give the queue a redrive policy and restart the daemon.",
        queries={
            "max by (queue, visibility, max_receive_count, fifo, dead_letter) "
            f"(orca_daemon_queue_config_info{Q})": ""
        },
        runbook="OrcaDaemonNoDeadLetterQueue",
        kind="table",
        width=24,
        height=6,
    ),
]
