"""Which queues the embedded stack has besides ORCA's."""

import asyncio

import pytest

from orca_daemon.local.layout import QUEUES
from orca_daemon.local.wanted import QueueNameError, more_queues, parse_queue, route_names
from orca_daemon.settings import Settings

AWS = "https://sqs.us-west-2.amazonaws.com/123456789012/"


def names(settings: Settings, routes: list[str], asked: dict[str, bool]) -> dict[str, str]:
    return {name: spec.name for name, spec in more_queues(settings, routes, asked).items()}


def settings(**queues: dict[str, str]) -> Settings:
    return Settings.model_validate({"queues": queues})


def test_the_code_has_no_route_without_a_queue() -> None:
    assert names(Settings(), asyncio.run(route_names()), {}) == {}


def test_a_route_without_a_queue_gets_one() -> None:
    assert names(Settings(), [*QUEUES, "granule_notices"], {}) == {
        "granule_notices": "local-granule-notices-queue"
    }


def test_a_queue_of_the_settings_is_made_with_the_type_of_its_url() -> None:
    given = settings(
        recovery={"url": f"{AWS}recovery"},
        notices={"url": f"{AWS}notices.fifo", "route": "granule_notices"},
        urgent={"url": f"{AWS}urgent", "route": "recovery"},
    )
    assert names(given, [*QUEUES, "granule_notices"], {}) == {
        "notices": "local-notices-queue.fifo",
        "urgent": "local-urgent-queue",
    }


def test_the_user_decides_the_type_of_a_queue() -> None:
    asked = dict([parse_queue("granule_notices.fifo")])
    assert names(settings(granule_notices={"url": f"{AWS}n"}), ["granule_notices"], asked) == {
        "granule_notices": "local-granule-notices-queue.fifo"
    }


@pytest.mark.parametrize("text", ["recovery", "Notices", "a-b", "", ".fifo", "status_update.fifo"])
def test_a_name_that_no_further_queue_can_have_is_refused(text: str) -> None:
    with pytest.raises(QueueNameError):
        parse_queue(text)
