"""Requests that are given up, sent again from the dead-letter queue, and answered."""

import pytest

from tests.aws.s3copy.faulty import Fault, operation
from tests.queues.restore.conftest import MakeWorld, granule, request

PENDING, FAILED = 1, 3


async def test_what_was_not_asked_for_fails_and_what_was_stays_pending(make_world: MakeWorld) -> None:
    world = await make_world()
    world.put("a", "b")
    world.proxy.fail(
        Fault(
            lambda asked: operation("RestoreObject")(asked) and asked.path.endswith("/b"),
            status=400,
            code="InvalidRequest",
        )
    )
    body = request(granule("a", "b"), granule("b", id_="g-2"))
    with pytest.raises(Exception, match="InvalidRequest"):
        await world.handle(body)
    world.read_status()
    await world.give_up(body, "S3 did not restore it")
    assert world.posted() == [
        ("g-1", [("a", PENDING), ("b", FAILED)]),
        ("g-1", [("b", FAILED)]),
        ("g-2", [("b", FAILED)]),
        ("g-2", [("b", FAILED)]),
    ]
    assert world.rows("filename, done_at IS NOT NULL, error_message") == [
        ("a", True, None),
        ("b", False, "S3 did not restore it"),
        ("b", False, "S3 did not restore it"),
    ]
    await world.give_up(body, "S3 did not restore it")
    assert world.posted() == []


async def test_a_request_of_which_nothing_is_known_gets_jobs_that_failed(make_world: MakeWorld) -> None:
    world = await make_world()
    await world.give_up(request(granule("a"), granule(id_="g-2")), "S3 is down")
    assert world.posted() == [("g-1", [("a", FAILED)]), ("g-1", [("a", FAILED)]), ("g-2", [])]


async def test_a_request_that_was_given_up_and_is_sent_again_reopens_its_own_job(
    make_world: MakeWorld,
) -> None:
    world = await make_world()
    world.put("a")
    body = request(granule("a"), job=None)
    await world.give_up(body, "S3 is down", id_="first")
    world.read_status()
    await world.handle(body, id_="redriven")
    assert world.posted() == [("g-1", [("a", PENDING)]), ("g-1", [("a", PENDING)])]
    assert world.rows("filename, step, error_message") == [("a", "ask", None)]
    assert world.asked() == 1


async def test_the_answer_names_what_is_on_its_way(make_world: MakeWorld) -> None:
    world = await make_world()
    world.put("a")
    await world.handle({**request(granule("a", "gone")), "taskToken": "t"})
    assert world.answers.calls == [("waiting", "t"), ("succeeded", "t")]
    assert world.answers.output
    assert world.answers.output["asyncOperationId"] == "op-1"
    [answered] = world.answers.output["granules"]
    files = answered.pop("recoverFiles")
    assert answered == granule("a", "gone")
    assert [(file["filename"], file["statusId"], "errorMessage" in file) for file in files] == [
        ("a", PENDING, False),
        ("gone", FAILED, True),
    ]


async def test_the_answer_is_a_failure_if_nothing_could_be_asked_for(make_world: MakeWorld) -> None:
    world = await make_world()
    await world.handle({**request(granule("gone")), "taskToken": "t"})
    reason = f"'gone' does not exist in '{world.archive}' bucket"
    assert world.answers.calls == [("waiting", "t"), ("failed", "t", "RestoreFailed", reason)]


async def test_a_task_is_answered_when_its_message_is_given_up(make_world: MakeWorld) -> None:
    world = await make_world()
    world.put("a")
    await world.give_up({**request(granule("a")), "taskToken": "t"}, "S3 is down")
    await world.give_up('{"taskToken": "u"}', "granules is missing")
    assert world.answers.calls == [
        ("failed", "t", "RestoreFailed", "S3 is down"),
        ("failed", "u", "RestoreRefused", "granules is missing"),
    ]
