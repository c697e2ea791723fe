"""Every kind of lie in answer to every call that the daemon makes: not an answer, and counted as an error."""

import pytest

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.errors import Meaning, meaning_of
from orca_daemon.aws.operations import OPERATIONS
from tests.aws.conftest import Bench
from tests.aws.honest import CALLS, Call
from tests.aws.liar import LIES

ON_ONE_LOOP = pytest.mark.asyncio(loop_scope="session")


async def ask(bench: Bench, call: Call) -> object:
    bench.liar.call = call
    bench.counted.clear()
    answer = await getattr(bench.clients[call.service], call.method)(**call.asked)
    if "Body" in answer:
        async with answer["Body"] as body:
            await body.read()
    return answer


@ON_ONE_LOOP
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.id)
async def test_an_honest_answer_is_taken(bench: Bench, call: Call) -> None:
    bench.liar.lie = None
    assert await ask(bench, call)
    assert {outcome for _, outcome in bench.counted} == {"ok"}


@ON_ONE_LOOP
@pytest.mark.parametrize("kind", LIES)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.id)
async def test_a_lie_is_an_error_that_may_pass(bench: Bench, call: Call, kind: str) -> None:
    bench.liar.lie = LIES[kind]
    with pytest.raises(CALL_ERRORS) as caught:
        await ask(bench, call)
    throttled = kind.startswith("429")
    assert meaning_of(caught.value) is (Meaning.THROTTLED if throttled else Meaning.PASSING), caught.value
    assert {outcome for _, outcome in bench.counted} == {"throttled" if throttled else "error"}


def test_every_call_that_the_daemon_makes_is_lied_to() -> None:
    lied = {(call.service, call.method.replace("_", "").lower()) for call in CALLS}
    made = {tuple(name.lower().split(":")) for name in OPERATIONS}
    assert lied == made
