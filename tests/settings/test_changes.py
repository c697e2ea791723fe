"""What a reload applies, and what it names as needing a restart."""

from orca_daemon.settings import load
from orca_daemon.settings.changes import compared

QUEUE = {"STATUS_UPDATE_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/1/q.fifo"}


def test_changes_are_named_without_their_values_and_only_some_are_applied() -> None:
    running = load(None, QUEUE)
    changed = {
        "ORCA_LOG__LEVEL": "debug",
        "ORCA_QUEUES__STATUS_UPDATE__PAUSED": "true",
        "ORCA_QUEUES__STATUS_UPDATE__POLLERS": "9",
        "ORCA_DATABASE__PASSWORD": "hunter2",
        "ORCA_ENGINE__HELD": "5",
    }
    wanted = load(None, QUEUE | changed)

    changes = compared(running, wanted)
    after = changes.applied_to(running, wanted)

    assert changes.applied == ["log.level", "queues.status_update.paused"]
    assert changes.need_restart == ["database.password", "engine.held", "queues.status_update.pollers"]
    assert (after.log.level, after.queues["status_update"].paused) == ("debug", True)
    assert compared(after, wanted).applied == []
    assert compared(after, wanted).need_restart == changes.need_restart


def test_a_queue_that_is_new_needs_a_restart() -> None:
    running = load(None, QUEUE)
    new = {
        "ORCA_QUEUES__OTHER__URL": "https://sqs.us-west-2.amazonaws.com/1/o",
        "ORCA_QUEUES__OTHER__PAUSED": "1",
    }
    wanted = load(None, QUEUE | new | {"ORCA_QUEUES__OTHER__ROUTE": "recovery"})

    assert compared(running, wanted).applied == []
    assert "queues.other" in compared(running, wanted).need_restart
