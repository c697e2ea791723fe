"""What an engine keeps count of, compared with what there is: between any two steps, and at its end."""

from collections.abc import Iterator

from orca_daemon.engine.engine import Engine
from orca_daemon.engine.source import BATCH


def leaks(engine: Engine, limit: int) -> Iterator[str]:
    """Messages, permits and deletes that are not where they are counted, or past the limit."""
    for consumer in engine.consumers:
        permits, lanes, settlement = consumer.permits, consumer._lanes, consumer.settlement
        backlog = len(settlement._waiting) + BATCH * len(settlement._calls)
        waiting = sum(len(lane.waiting) for lane in lanes)
        parked = sum(len(lane.waiting) for lane in lanes if lane.parked)
        counted = parked == lanes.parked and permits.reserved >= 0 and waiting <= permits.held
        if not counted or permits.held + permits.reserved > limit or backlog > BATCH * limit:
            yield f"{_permits(engine)} waiting {waiting} parked {parked}, said to be {lanes.parked}"


def lies(engine: Engine, last_answer: float | None) -> Iterator[str]:
    """What the state of the engine says and is not so."""
    for queue in engine.state().queues:
        if queue.last_poll_success != last_answer:
            yield f"the last answer came at {last_answer}, not at {queue.last_poll_success}"


def left_over(engine: Engine, *, finished: bool) -> Iterator[str]:
    """What is still counted when the engine has ended; `finished` where nothing was left undone."""
    for consumer in engine.consumers:
        permits = consumer.permits
        if permits.held or permits.reserved or (permits.settling and finished):
            yield _permits(engine)


def _permits(engine: Engine) -> str:
    rooms = [consumer.permits for consumer in engine.consumers]
    return ", ".join(
        f"held {permits.held} reserved {permits.reserved} settling {permits.settling}" for permits in rooms
    )
