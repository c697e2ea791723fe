"""Limits of restores: beyond each, nothing is posted or asked, and the sentence names the setting."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orca_daemon.queues.restore.rules import RefusedRequestError
from tests.queues.restore.conftest import MakeWorld, World, granule, request

CASES: Mapping[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "files": ({"max_files": 1}, {}, "the request has 2 files, and restore.max_files is 1"),
    "bytes": ({"max_bytes": 7}, {}, "would have to restore 8 bytes, and restore.max_bytes is 7"),
    "bytes of a day": (
        {"bytes_per_day": 7},
        {},
        "7 bytes that restore.bytes_per_day allows, 7 are left",
    ),
    "archive": ({"sources": ["other"]}, {}, "that restore.sources does not name"),
    "destination": (
        {"targets": ["public"]},
        {},
        "a destination that restore.targets does not name",
    ),
    "tier": (
        {"tiers": ["Bulk"], "tier": "Bulk"},
        {"defaultRecoveryTypeOverride": "Expedited"},
        "the tier Expedited is not among restore.tiers",
    ),
    "no archive": ({"bucket": None}, {}, "names no archive bucket, and restore.bucket is not set"),
}


@pytest.mark.parametrize(("settings", "config", "sentence"), CASES.values(), ids=CASES)
async def test_a_request_beyond_a_limit_is_refused_before_anything_is_done(
    make_world: MakeWorld, settings: dict[str, Any], config: dict[str, Any], sentence: str
) -> None:
    world = await make_world(**settings)
    world.put("a", "b")
    body = request(granule("a", "b"), **config)
    with pytest.raises(RefusedRequestError, match=r"^nothing is restored: ") as caught:
        await world.handle(body)
    assert sentence in str(caught.value)
    await world.give_up({**body, "taskToken": "t"}, str(caught.value))
    assert (world.read_status(), world.asked(), world.rows()) == ([], 0, [])
    assert world.answers.calls == [("failed", "t", "RestoreRefused", str(caught.value))]


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"sources": ["archive-*"]}, "copies.sources does not name it"),
        ({"targets": ["public"]}, "copies.targets does not name it"),
    ],
    ids=["sources", "targets"],
)
async def test_what_may_not_be_copied_is_not_restored(
    make_world: MakeWorld, section: dict[str, Any], sentence: str
) -> None:
    world = await make_world(settings={"copies": section}, bucket=None)
    world.put("a")
    with pytest.raises(RefusedRequestError, match=sentence):
        await world.handle(request(granule("a"), defaultBucketOverride=world.archive))


async def test_readable_objects_do_not_count_towards_the_bytes(make_world: MakeWorld) -> None:
    world = await make_world(max_bytes=4, bytes_per_day=4)
    world.put("archived")
    world.put("readable", storage_class="STANDARD", size=100)
    await world.handle(request(granule("archived", "readable")))
    assert world.asked() == 1


async def test_the_bytes_of_a_day_count_over_all_jobs_and_end_at_midnight_utc(make_world: MakeWorld) -> None:
    world = await make_world(bytes_per_day=10)
    world.put("a", "b", "c")
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

    def at(time: datetime) -> None:
        world.parts = replace(world.parts, clock=lambda: time)

    at(midnight - timedelta(seconds=1))
    await world.handle(request(granule("a"), job="op-1"))
    at(midnight + timedelta(hours=1))
    await world.handle(request(granule("b"), job="op-2"))
    await world.handle(request(granule("c"), job="op-3"))
    world.put("d")
    with pytest.raises(RefusedRequestError, match="2 are left until midnight UTC"):
        await world.handle(request(granule("d"), job="op-4"))
    at(midnight + timedelta(days=1))
    await world.handle(request(granule("d"), job="op-4"))


async def test_requests_at_the_same_time_do_not_exceed_the_bytes_of_a_day_together(
    make_world: MakeWorld,
) -> None:
    world = await make_world(bytes_per_day=12)
    keys = [f"k{number}" for number in range(8)]
    world.put(*keys)

    async def ask(key: str) -> bool:
        try:
            await world.handle(request(granule(key), job=key), id_=key)
        except RefusedRequestError:
            return False
        return True

    assert sum(await asyncio.gather(*map(ask, keys))) == 3
    assert world.asked() == 3


async def test_a_repeated_request_is_not_counted_again(make_world: MakeWorld) -> None:
    world: World = await make_world(bytes_per_day=4)
    world.put("a")
    for _ in range(2):
        await world.handle(request(granule("a")))
    assert world.asked() == 1
