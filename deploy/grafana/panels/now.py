"""What an operator looks at first: alerts, backlog, dead letters."""

from panels.panel import I, Panel, Q, quantile

NOW = [
    Panel(
        title="Alerts that fire",
        shows="The alerts of deploy/prometheus/alerts.yml that fire now.",
        do="Red: open the runbook at the heading with the alert's name.",
        queries={
            'count by (alertname) (ALERTS{alertname=~"OrcaDaemon.*", alertstate="firing"})': "{{alertname}}"
        },
        kind="stat",
        red=1,
        width=12,
        height=5,
    ),
    Panel(
        title="Daemons that answer",
        shows="Daemons that Prometheus could scrape.",
        do="Red: none answers. Read the exit code and the last log lines in the supervisor.",
        queries={'sum(up{job="orca-daemon"})': "daemons"},
        runbook="OrcaDaemonDown",
        kind="stat",
        red=1,
        red_below=True,
        width=4,
        height=5,
    ),
    Panel(
        title="Down",
        shows="1: the dependency, or a place of it, is down, and messages that need it wait.",
        do="Red: dependency.down in the log has the reason. The daemon resumes by itself.",
        queries={f"max by (dependency) (orca_daemon_breaker_open{I})": "{{dependency}}"},
        runbook="OrcaDaemonDependencyDown",
        kind="stat",
        red=1,
        width=8,
        height=5,
    ),
    Panel(
        title="Messages that wait",
        shows="Messages that wait on each queue. Each replica reads the same number, so this is the maximum.",
        do="Red from 1,000: see Time from sent to received. If that grows too, add replicas (recovery), or "
        "look at Handler time; if nothing is received, see Time since the last receive.",
        queries={f"max by (queue) (orca_daemon_queue_visible_messages{Q})": "{{queue}}"},
        runbook="OrcaDaemonQueueDelay",
        red=1000,
    ),
    Panel(
        title="Time from sent to received",
        shows="95 % of messages were received within this time after they were sent.",
        do="Red from five minutes: messages come faster than they are processed. See Permits free and "
        "Handler time.",
        queries={quantile(0.95, "queue_delay_seconds", "queue"): "{{queue}}"},
        unit="s",
        runbook="OrcaDaemonQueueDelay",
        red=300,
    ),
    Panel(
        title="Time since the last receive",
        shows="The replica that has not read its queue for longest. An empty answer counts as read.",
        do="Red from five minutes: poll.failed in the log has the reason. Not red alone while paused, at the "
        "in-flight limit, or while the database is down.",
        queries={
            f"max by (queue) (time() - (orca_daemon_last_poll_success_timestamp_seconds{Q} > 0))": "{{queue}}"
        },
        unit="s",
        runbook="OrcaDaemonNotPolling",
        red=300,
    ),
    Panel(
        title="Dead letters",
        shows="Messages on each dead-letter queue. Each replica reads the same number, so this is the "
        "maximum.",
        do="Red from 1: orca-daemon dlq list QUEUE has the reasons; mend the cause, then orca-daemon dlq "
        "redrive.",
        queries={f"max by (queue) (orca_daemon_dead_letter_queue_messages{Q})": "{{queue}}"},
        runbook="OrcaDaemonDeadLetterQueueNotEmpty",
        red=1,
    ),
    Panel(
        title="Dead letters: time since the queue was empty",
        shows="How long a daemon has seen the dead-letter queue never empty, as a part of its retention. SQS "
        "does not tell the age of the oldest message; a daemon that is started begins anew.",
        do="Red from a half: SQS deletes messages at the end of the retention. Redrive them, or raise it.",
        queries={
            f"(time() - min by (queue) (orca_daemon_dead_letter_queue_filled_timestamp_seconds{Q} > 0)) "
            "/ on (queue) "
            f"max by (queue) (orca_daemon_dead_letter_queue_retention_seconds{Q} > 0)": "{{queue}}"
        },
        unit="percentunit",
        runbook="OrcaDaemonDeadLettersExpiring",
        red=0.5,
    ),
    Panel(
        title="Paused or draining",
        shows="Replicas that receive nothing, because an operator paused them or because they stop.",
        do="Red from 1: if it lasts, orca-daemon status says who paused it, orca-daemon resume ends it.",
        queries={
            f"sum(max by (instance) (orca_daemon_queue_paused{I}))": "paused",
            f"sum(orca_daemon_draining{I})": "draining",
        },
        runbook="OrcaDaemonPausedForLong",
        red=1,
    ),
    Panel(
        title="Age in a paused queue",
        shows="About how old the oldest message on a paused queue is, as part of the retention of the queue.",
        do="Red from 80 %: SQS deletes messages at the end of the retention. Resume the queue, or raise it.",
        queries={
            f"(time() - min by (queue) (orca_daemon_paused_queue_oldest_timestamp_seconds{Q} > 0)) "
            "/ on (queue) "
            f"max by (queue) (orca_daemon_queue_retention_seconds{Q} > 0)": "{{queue}}"
        },
        unit="percentunit",
        runbook="OrcaDaemonPausedQueueExpiring",
        red=0.8,
    ),
]
