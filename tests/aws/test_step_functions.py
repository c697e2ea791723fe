"""How Step Functions is told, what its answers mean, and that no token is in a text of ours."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import structlog

from orca_daemon.aws.clients import connect
from orca_daemon.aws.step_functions import StepFunctions, TaskAnswer
from orca_daemon.engine.errors import DependencyDown, NotYet
from orca_daemon.local.moto import REGION
from orca_daemon.settings import load
from tests.fake_step_functions import FakeStepFunctions

TOKEN = "token-AQC4secret"


@pytest.fixture
def fake() -> Iterator[FakeStepFunctions]:
    with FakeStepFunctions() as server:
        yield server


@pytest_asyncio.fixture
async def states(fake: FakeStepFunctions) -> AsyncIterator[StepFunctions]:
    settings = load(None, {"AWS_REGION": REGION, "ORCA_AWS__ENDPOINT_URL": fake.url}, need_queue=False)
    async with connect(settings) as clients:
        yield StepFunctions(clients.states)


async def test_a_task_ends_with_the_output(fake: FakeStepFunctions, states: StepFunctions) -> None:
    task = fake.waits(TOKEN)

    assert await states.heartbeat(TOKEN) is TaskAnswer.ACCEPTED
    assert await states.succeeded(TOKEN, ['{"a": 1}', "{}"]) is TaskAnswer.ACCEPTED
    assert (task.heartbeats, task.output) == (1, {"a": 1})


async def test_a_task_fails_with_a_name_and_a_sentence_that_fit(
    fake: FakeStepFunctions, states: StepFunctions
) -> None:
    task = fake.waits(TOKEN)

    assert await states.failed(TOKEN, "e" * 300, "c" * 40_000) is TaskAnswer.ACCEPTED
    assert (task.error, task.cause) == ("e" * 256, "c" * 32_768)


@pytest.mark.parametrize(
    ("token", "code"),
    [("token-unknown", "TaskDoesNotExist"), ("damaged", "InvalidToken"), ("token-late", "TaskTimedOut")],
    ids=["unknown", "damaged", "late"],
)
async def test_a_task_that_does_not_wait_any_more_is_logged_and_not_retried(
    fake: FakeStepFunctions, states: StepFunctions, token: str, code: str
) -> None:
    fake.waits("token-late").timed_out = True

    with structlog.testing.capture_logs() as logged:
        assert await states.succeeded(token, ["{}"]) is TaskAnswer.GONE
    assert fake.calls == ["SendTaskSuccess"]
    assert logged == [
        {
            "event": "task.not_told",
            "log_level": "warning",
            "told": "success",
            "answer": "gone",
            "code": code,
        }
    ]


async def test_an_output_that_is_not_accepted_is_replaced_by_the_next(
    fake: FakeStepFunctions, states: StepFunctions
) -> None:
    task = fake.waits(TOKEN)
    fake.invalid_outputs = 2

    assert await states.succeeded(TOKEN, ["1", "2", "3"]) is TaskAnswer.ACCEPTED
    assert task.output == 3


async def test_no_accepted_output_ends_the_attempts(fake: FakeStepFunctions, states: StepFunctions) -> None:
    task = fake.waits(TOKEN)
    fake.invalid_outputs = 9

    assert await states.succeeded(TOKEN, ["1", "2"]) is TaskAnswer.REFUSED
    assert not task.ended


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "ThrottlingException", NotYet),
        (503, "ServiceUnavailableException", NotYet),
        (400, "KmsThrottlingException", NotYet),
        (400, "ExpiredTokenException", NotYet),
        (400, "AccessDeniedException", DependencyDown),
        (400, "KmsAccessDeniedException", DependencyDown),
    ],
    ids=str,
)
async def test_what_may_pass_is_raised_without_the_token(
    fake: FakeStepFunctions, states: StepFunctions, status: int, code: str, expected: type[Exception]
) -> None:
    fake.fails_with = (status, code)

    with pytest.raises(expected) as caught:
        await states.failed(TOKEN, "e", "c")
    assert code in str(caught.value)
    assert TOKEN not in repr(caught.value)


async def test_a_server_that_is_away_may_be_back_later(fake: FakeStepFunctions) -> None:
    environment = {"AWS_REGION": REGION, "ORCA_AWS__ENDPOINT_URL": "http://127.0.0.1:9"}
    async with connect(load(None, environment, need_queue=False)) as clients:
        with pytest.raises(NotYet):
            await StepFunctions(clients.states).heartbeat(TOKEN)
