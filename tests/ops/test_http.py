"""The port's answers, over real HTTP."""

import json

import aiohttp

from orca_daemon.ops.health import Check
from orca_daemon.ops.http import serve
from orca_daemon.ops.metrics import Metrics

WELL = Check("event_loop", True, "fine")
ILL = Check("poller:recovery", False, "last sign of life 300 s ago")


async def state() -> str:
    return '{"queues": []}'


async def get(url: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text(), response.headers["Content-Type"]


async def test_each_check_is_a_line_of_json() -> None:
    async with serve(
        "127.0.0.1",
        0,
        metrics=Metrics().exposition,
        live=lambda: [WELL],
        ready=lambda: [WELL, ILL],
        state=state,
    ) as url:
        live, ready = await get(f"{url}/livez"), await get(f"{url}/readyz")
        healthz = await get(f"{url}/healthz")

    assert live == healthz
    assert live[0] == 200
    assert ready[0] == 503
    assert [json.loads(line)["ok"] for line in ready[1].splitlines()] == [True, False]


async def test_metrics_are_text_for_prometheus() -> None:
    metrics = Metrics({"recovery": "recovery"})
    async with serve("127.0.0.1", 0, metrics=metrics.exposition, live=tuple, ready=tuple, state=state) as url:
        status, text, content_type = await get(f"{url}/metrics")

    assert status == 200
    assert content_type.startswith("text/plain; version=0.0.4")
    assert 'orca_daemon_messages_received_total{queue="recovery"} 0.0' in text


async def test_the_port_is_free_again_afterwards() -> None:
    async with serve(
        "127.0.0.1", 0, metrics=Metrics().exposition, live=tuple, ready=tuple, state=state
    ) as url:
        port = int(url.rsplit(":", 1)[1])
    async with serve(
        "127.0.0.1", port, metrics=Metrics().exposition, live=tuple, ready=tuple, state=state
    ) as again:
        assert again == url


async def test_the_state_is_json() -> None:
    async with serve(
        "127.0.0.1", 0, metrics=Metrics().exposition, live=tuple, ready=tuple, state=state
    ) as url:
        status, text, content_type = await get(f"{url}/state")

    assert (status, text, content_type) == (200, '{"queues": []}', "application/json; charset=utf-8")
