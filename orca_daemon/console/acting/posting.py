"""Posts one message of an operator to a queue of the settings."""

from orca_daemon.aws.publisher import Publisher, PublishError
from orca_daemon.console.acting.action import Outcome
from orca_daemon.console.context import ConsoleContext
from orca_daemon.engine.errors import NotYet
from orca_daemon.operations.sending import queue_url
from orca_daemon.wire.outgoing import Outgoing

INTERNAL_REPORT = "internal_report"


async def post(console: ConsoleContext, message: Outgoing, done: str) -> Outcome:
    """Post to the queue of comparisons and exports; `done` says what the message asks for.

    Raises:
        DependencyDown: SQS denies it.
    """
    url = queue_url(console.settings, INTERNAL_REPORT)
    try:
        await Publisher(console.clients.control, url, name=f"queue {INTERNAL_REPORT}").send(message)
    except (PublishError, NotYet) as error:
        return Outcome(done=0, error=str(error))
    return Outcome(done=1, result={"requested": done, "queue": INTERNAL_REPORT})
