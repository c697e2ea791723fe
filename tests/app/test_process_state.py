"""What a daemon says of itself: no body, no secret, a bounded size, and little time of the event loop."""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from orca_daemon.app.activity import Activity
from orca_daemon.app.pauses import Pauses
from orca_daemon.app.process_state import LARGEST_PAGE, MOST_MESSAGES, Reporter, fitted
from orca_daemon.db.control import LARGEST_STATE
from orca_daemon.engine.engine import Binding, Engine
from orca_daemon.engine.events import Event, Polled, PollOutcome, Settled, SettledOutcome
from orca_daemon.engine.memory import MemoryQueue, MemorySource, QueueOptions
from orca_daemon.engine.message import Delivery, Envelope
from orca_daemon.engine.queue_context import ConsumerOptions
from orca_daemon.engine.route import Route
from orca_daemon.ops import shown
from orca_daemon.ops.work_in_progress import WorkInProgress

SECRET = "hunter2"
BODY = "the-body-itself"


class Handler:
    """Works for ever, and says what the test wants in the facts."""

    def __init__(self, facts: Callable[[], Mapping[str, str]]) -> None:
        self._facts = facts

    async def __call__(self, run: Sequence[Delivery[str]], /) -> None:
        for delivery in run:
            delivery.facts.update(self._facts())
        await asyncio.Event().wait()


async def with_engine(
    facts: Callable[[], Mapping[str, str]],
    messages: int,
    work: Callable[[Engine], Awaitable[None]],
) -> None:
    """Run an engine that has all messages in flight, each of its own group, and `work` beside it."""
    queue = MemoryQueue("q.fifo", QueueOptions(fifo=True), clock=asyncio.get_running_loop().time)
    for number in range(messages):
        queue.send(f"{BODY} {number}", group=f"g{number}", deduplication_id=str(number))
    source = MemorySource(queue)
    handler = Handler(facts)
    route: Route[str] = Route(
        name="status_update",
        decode=lambda envelope: envelope.body,
        handle=handler,
        concurrency=64,
        describe=lambda _: dict(facts()),
    )
    binding = Binding(
        name="status_update",
        route=route,
        source=source,
        facts=source.describe(),
        options=ConsumerOptions(held=messages, concurrency=messages, wait=1),
    )
    received, all_of_them = list[int](), asyncio.Event()

    def observe(event: Event) -> None:
        if isinstance(event, Polled):
            received.append(len(event.messages))
            if sum(received) == messages:
                all_of_them.set()

    engine = Engine([binding], probes={}, drain_seconds=0.0, observe=observe)
    running = asyncio.create_task(engine.run())
    await all_of_them.wait()
    await work(engine)
    engine.stop()
    await running


def reporter(engine: Engine, work: WorkInProgress | None = None) -> Reporter:
    return Reporter(
        engine=engine, pauses=Pauses(engine, ()), activity=Activity(), work=work or WorkInProgress()
    )


async def longest_step(work: Awaitable[str]) -> tuple[str, float]:
    """The result, and the longest time for which the event loop did nothing else."""
    task, longest, last = asyncio.ensure_future(work), 0.0, time.perf_counter()
    while not task.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return task.result(), longest


def hostile(rng: random.Random) -> dict[str, str]:
    """Facts as a message, a key or a faulty handler may set them."""
    texts = [
        f"postgresql://orca:{SECRET}@host/db",
        f"https://b.s3.amazonaws.com/k?X-Amz-Signature={SECRET}&x=1",
        "\0\x01\n\"'<script>" * 9,
        "\ud800 lone",
        "\N{GRINNING FACE}" * rng.randrange(3000),
        "k" * rng.randrange(300_000),
    ]
    names = ["source", "password", "api_token", "event", "\udfff", "n" * 5000, *(f"f{n}" for n in range(40))]
    facts = {name: rng.choice(texts) for name in rng.sample(names, rng.randrange(len(names)))}
    return facts | ({"password": SECRET} if "password" in facts else {}) | (
        {"api_token": SECRET} if "api_token" in facts else {}
    )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3], ids=str)
async def test_whatever_messages_hold_the_state_has_no_body_no_secret_and_a_bounded_size(seed: int) -> None:
    rng = random.Random(seed)
    work = WorkInProgress()

    async def judge(engine: Engine) -> None:
        with work.begin("copy", f"s3://{'k' * 5000}?X-Amz-Signature={SECRET}") as piece:
            piece.show(done=1, total=2, unit="bytes")
            page, row = await reporter(engine, work).page(), reporter(engine, work).row()
        for text in (page, row):
            assert SECRET not in text
            assert BODY not in text
            assert "\\u0000" not in text
            text.encode()
        assert len(page.encode()) <= LARGEST_PAGE + 1000
        assert len(row.encode()) <= LARGEST_STATE
        document = json.loads(page)
        held = document["queues"][0]["held"]
        assert len(document["messages"]) + document["messages_left_out"] == held == 150

    await with_engine(lambda: hostile(rng), 150, judge)


@pytest.mark.matrix
@pytest.mark.parametrize(("messages", "limit"), [(1_000, 0.05), (10_000, 0.15)], ids=["1,000", "10,000"])
async def test_the_state_takes_no_more_than_50_ms_of_the_loop(messages: int, limit: float) -> None:
    """Each message is of a group of its own; 10,000 are ten times what `engine.held` is by default."""

    async def judge(engine: Engine) -> None:
        steps = [await longest_step(reporter(engine).page()) for _ in range(5)]
        longest = min(longest for _, longest in steps)
        print(f"longest step: {longest * 1000:.1f} ms")  # noqa: T201  a measurement
        assert longest < limit
        shown_messages = json.loads(steps[0][0])["messages"]
        assert len(shown_messages) == MOST_MESSAGES
        ages = [message["held_seconds"] for message in shown_messages]
        assert ages == sorted(ages, reverse=True)

    facts = {
        "job_id": "j" * 36,
        "granule_id": "g" * 60,
        "filename": "f" * 80,
        "source": "s3://b/" + "k" * 200,
    }
    await with_engine(lambda: facts, messages, judge)


def test_the_row_fits_however_much_there_is_to_say() -> None:
    queue = {"name": "q" * 200, "paused_by": ["database"]}
    document: dict[str, Any] = {
        "work": [{"what": "w" * 300}] * 50,
        "down": [{"places": ["p" * 300] * 20}] * 9,
        "queues": [queue] * 90,
    }

    fitting = fitted(document, LARGEST_STATE)

    assert shown.size(fitting) <= LARGEST_STATE
    assert fitting["left_out"] == 50 + 9 + 90 - sum(len(fitting[name]) for name in document)
    assert len(document["queues"]) == 90


def test_rates_are_those_since_the_last_look_and_a_receive_tells_how_old_the_backlog_may_be() -> None:
    now = [100.0]
    activity = Activity(wall=lambda: 1_000.0 + now[0], monotonic=lambda: now[0])
    envelopes = tuple(Envelope(id=str(n), receipt="", body="", sent_at=500.0 + n) for n in range(4))
    assert activity.oldest_waiting("q") is None
    activity.observe(Polled("q", PollOutcome.MESSAGES, envelopes))
    activity.observe(Settled("q", envelopes[0], SettledOutcome.DELETED))
    activity.observe(Settled("q", envelopes[1], SettledOutcome.DEAD_LETTERED))
    now[0] += 2
    rates: Any = {"received_per_second": 2.0, "finished_per_second": 0.5, "dead_lettered_per_second": 0.5}
    assert activity.rates() == {"q": rates}
    assert activity.oldest_waiting("q") == 500.0
    activity.observe(Polled("q", PollOutcome.ERROR))
    activity.observe(Polled("q", PollOutcome.EMPTY))
    now[0] += 10
    assert activity.rates() == {"q": dict.fromkeys(rates, 0.0)}
    assert activity.oldest_waiting("q") == 1_102.0
