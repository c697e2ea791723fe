"""Every kind of wrong response to every call of the daemon is an error, and is counted as one."""

import pytest

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.errors import Meaning, meaning_of
from orca_daemon.aws.operations import OPERATIONS
from tests.aws.conftest import Bench
from tests.aws.correct_responses import CALLS, Call
from tests.aws.wrong_responses import WRONG_RESPONSES

ON_ONE_LOOP = pytest.mark.asyncio(loop_scope="session")


async def send(bench: Bench, call: Call) -> object:
    bench.server.call = call
    bench.counted.clear()
    response = await getattr(bench.clients[call.client], call.method)(**call.parameters)
    if "Body" in response:
        async with response["Body"] as body:
            await body.read()
    return response


@ON_ONE_LOOP
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.id)
async def test_a_correct_response_is_accepted(bench: Bench, call: Call) -> None:
    bench.server.wrong = None
    assert await send(bench, call)
    assert {outcome for _, outcome in bench.counted} == {"ok"}


@ON_ONE_LOOP
@pytest.mark.parametrize("kind", WRONG_RESPONSES)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.id)
async def test_a_wrong_response_is_an_error_that_may_pass(bench: Bench, call: Call, kind: str) -> None:
    bench.server.wrong = WRONG_RESPONSES[kind]
    with pytest.raises(CALL_ERRORS) as caught:
        await send(bench, call)
    throttled = kind.startswith("429")
    assert meaning_of(caught.value) is (Meaning.THROTTLED if throttled else Meaning.PASSING), caught.value
    assert {outcome for _, outcome in bench.counted} == {"throttled" if throttled else "error"}


def test_the_table_of_calls_has_every_operation_of_the_daemon() -> None:
    in_table = {(call.service, call.method.replace("_", "").lower()) for call in CALLS}
    in_daemon = {tuple(name.lower().split(":")) for name in OPERATIONS}
    assert in_table == in_daemon
