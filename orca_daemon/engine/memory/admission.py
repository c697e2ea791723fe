"""Which parameters of a call SQS takes, and which it refuses; by queue type."""

from orca_daemon.engine.memory.content import check_id
from orca_daemon.engine.memory.deduplication import content_id
from orca_daemon.engine.memory.errors import RequestRefusedError, invalid, missing
from orca_daemon.engine.memory.options import QueueOptions
from orca_daemon.engine.source import BATCH, LONGEST_LEASE

LONGEST_DELAY = 900
LONGEST_WAIT = 20


def deduplication_id(options: QueueOptions, body: str, group: str | None, given: str | None) -> str | None:
    """The id by which this message is known as a duplicate; None on a standard queue.

    Raises:
        RequestRefusedError: group or id are missing, wrong, or not for this type of queue.
    """
    if not options.fifo:
        if given is not None:
            raise invalid("MessageDeduplicationId", given, "The parameter is for FIFO queues only.")
        if group is not None:  # a tenant's name, for fair queues
            check_id("MessageGroupId", group)
        return None
    if not group:
        raise missing("MessageGroupId")
    check_id("MessageGroupId", group)
    if given is not None:
        check_id("MessageDeduplicationId", given)
        return given
    if not options.content_deduplication:
        raise RequestRefusedError(
            "InvalidParameterValue",
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId"
            " provided explicitly",
        )
    return content_id(body)


def delay(options: QueueOptions, given: float | None) -> float:
    """Seconds for which this message is delayed.  On a FIFO queue only the queue itself can say so."""
    if given is None:
        return options.delay
    if options.fifo and given:
        raise invalid("DelaySeconds", given, "The parameter is not valid for a message of a FIFO queue.")
    if not 0 <= given <= LONGEST_DELAY:
        raise invalid("DelaySeconds", given, f"DelaySeconds must be >= 0 and <= {LONGEST_DELAY}.")
    return options.delay if options.fifo else given


def wait(options: QueueOptions, given: float | None) -> float:
    """Seconds for which a receive waits."""
    if given is None:
        return options.wait
    if not 0 <= given <= LONGEST_WAIT:
        raise invalid("WaitTimeSeconds", given, f"Must be >= 0 and <= {LONGEST_WAIT}, if provided.")
    return given


def lease(options: QueueOptions, given: float | None) -> float:
    """Seconds for which received messages are hidden."""
    if given is None:
        return options.visibility
    check_visibility(given)
    return given


def check_receive(options: QueueOptions, limit: int, attempt_id: str | None) -> None:
    """Refuse a wrong number of messages or attempt id."""
    if not 1 <= limit <= BATCH:
        raise invalid("MaxNumberOfMessages", limit, f"Must be between 1 and {BATCH}, if provided.")
    if attempt_id is not None:
        if not options.fifo:
            raise invalid("ReceiveRequestAttemptId", attempt_id, "The parameter is for FIFO queues only.")
        check_id("ReceiveRequestAttemptId", attempt_id)


def check_visibility(seconds: float) -> None:
    """Refuse a visibility timeout that no message can have."""
    if not 0 <= seconds <= LONGEST_LEASE:
        raise invalid("VisibilityTimeout", seconds, f"Must be between 0 and {LONGEST_LEASE:.0f}.")
