"""Tasks of Step Functions are answered with what fits, and hear heartbeats until then."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
import structlog

from orca_daemon.aws.clients import connect
from orca_daemon.aws.step_functions import LARGEST_OUTPUT, StepFunctions
from orca_daemon.engine import places
from orca_daemon.local.moto import REGION
from orca_daemon.queues.restore.task_tokens import TaskAnswers, outputs
from orca_daemon.settings import load
from orca_daemon.wire.restore import RestoreFile, RestoreGranule
from orca_daemon.wire.restore_outcome import FileOutcome, GranuleOutcome, RestoreOutcome
from orca_daemon.wire.status import RecoveryStatus
from tests.fake_step_functions import FakeStepFunctions

NOW = datetime(2026, 11, 29, tzinfo=UTC)
TOKEN = "token-AQC4secret"
PATIENCE = 20.0


def outcome(files: int = 1, name: str = "") -> RestoreOutcome:
    made = [RestoreFile(key=f"a/{number:06}.h5", destination="protected") for number in range(files)]
    granule = RestoreGranule(collection_id="C___1", granule_id=f"G{name}", files=tuple(made))
    each = [
        FileOutcome(
            file=file, status=RecoveryStatus.PENDING, chunk_mib=None, request_time=NOW, last_update=NOW
        )
        for file in made
    ]
    return RestoreOutcome(job_id="job", granules=[GranuleOutcome(granule=granule, files=each)])


@pytest.fixture
def fake() -> Iterator[FakeStepFunctions]:
    with FakeStepFunctions() as server:
        yield server


@pytest_asyncio.fixture
async def answers(fake: FakeStepFunctions) -> AsyncIterator[TaskAnswers]:
    settings = load(None, {"AWS_REGION": REGION, "ORCA_AWS__ENDPOINT_URL": fake.url}, need_queue=False)
    async with connect(settings) as clients:
        yield TaskAnswers(StepFunctions(clients.states), 0.02)


async def reached(fake: FakeStepFunctions, condition: Callable[[], bool]) -> None:
    """Wait until the server has been told enough."""

    def wait() -> None:
        with fake.changed:
            assert fake.changed.wait_for(condition, PATIENCE)

    await asyncio.to_thread(wait)


async def ended() -> None:
    """Wait until no heartbeats are sent any more."""
    for task in asyncio.all_tasks():
        if task.get_name() == "heartbeats of a task":
            await asyncio.wait({task}, timeout=PATIENCE)
            assert task.done()


async def test_heartbeats_go_on_between_attempts_until_the_answer(
    fake: FakeStepFunctions, answers: TaskAnswers
) -> None:
    task = fake.waits(TOKEN)

    await answers.waiting(TOKEN)
    await reached(fake, lambda: task.heartbeats >= 3)
    await answers.waiting(TOKEN)
    await answers.succeeded(TOKEN, outcome())
    await ended()

    assert task.output == json.loads(outputs(outcome())[0])
    assert fake.calls.count("SendTaskSuccess") == 1


async def test_a_failure_ends_the_heartbeats(fake: FakeStepFunctions, answers: TaskAnswers) -> None:
    task = fake.waits(TOKEN)

    await answers.waiting(TOKEN)
    await reached(fake, lambda: task.heartbeats >= 1)
    await answers.failed(TOKEN, "RestoreRefused", "nothing could be asked for")
    await ended()

    assert (task.error, task.cause) == ("RestoreRefused", "nothing could be asked for")


async def test_heartbeats_end_when_nobody_waits(fake: FakeStepFunctions, answers: TaskAnswers) -> None:
    task = fake.waits(TOKEN)

    await answers.waiting(TOKEN)
    await reached(fake, lambda: task.heartbeats >= 1)
    with structlog.testing.capture_logs() as logged:
        task.timed_out = True
        await ended()

    assert [(line["event"], line["code"]) for line in logged] == [("task.not_told", "TaskTimedOut")]
    assert TOKEN not in repr(logged)


async def test_a_heartbeat_that_fails_is_logged_and_the_next_is_sent(
    fake: FakeStepFunctions, answers: TaskAnswers
) -> None:
    task = fake.waits(TOKEN)
    fake.fails_with = (400, "AccessDeniedException")

    with structlog.testing.capture_logs() as logged:
        await answers.waiting(TOKEN)
        await reached(fake, lambda: len(fake.calls) >= 2)
        fake.fails_with = None
        await reached(fake, lambda: task.heartbeats >= 1)
        await answers.failed(TOKEN, "e", "c")
        await ended()

    assert {line["event"] for line in logged} == {"task.heartbeat_failed"}
    assert TOKEN not in repr(logged)


async def test_heartbeats_are_no_success_of_the_attempt_that_began_them(
    fake: FakeStepFunctions, answers: TaskAnswers
) -> None:
    reported: list[tuple[str, str]] = []
    places.listen(lambda dependency, place: reported.append((dependency, place)))
    task = fake.waits(TOKEN)

    await answers.waiting(TOKEN)
    await reached(fake, lambda: task.heartbeats >= 2)
    assert reported == []
    await answers.succeeded(TOKEN, outcome())
    await ended()
    assert reported == [("states", "send_task_success")]


@pytest.mark.parametrize(
    ("files", "kept"),
    [
        (10, ["granules with recoverFiles", "granules", "job"]),
        (3_500, ["granules", "job"]),
        (6_000, ["job"]),
    ],
    ids=["small", "large", "huge"],
)
def test_an_output_that_is_too_large_is_left_out(files: int, kept: list[str]) -> None:
    texts = outputs(outcome(files))

    assert all(len(text.encode()) <= LARGEST_OUTPUT for text in texts)
    assert [_kind(json.loads(text)) for text in texts] == kept


def test_the_largest_output_has_the_size_that_aws_documents() -> None:
    room = LARGEST_OUTPUT - len(outputs(outcome(0))[0])

    assert len(outputs(outcome(0, name="x" * room))) == 3
    assert len(outputs(outcome(0, name="x" * (room + 1)))) == 2


def _kind(document: dict[str, Any]) -> str:
    if "granules" not in document:
        return "job"
    return "granules with recoverFiles" if "recoverFiles" in document["granules"][0] else "granules"
