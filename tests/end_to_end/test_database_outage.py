"""The database refuses connections for a while: no message is lost or dead-lettered, no password logged."""

import asyncio
from urllib.parse import urlsplit
from urllib.request import urlopen

from orca_daemon.producer import OrcaStatus
from tests.end_to_end.conftest import Deployment
from tests.end_to_end.messages import new_job, update
from tests.proxy import Proxy

STATES = "SELECT job_id, status_id FROM orca.recovery_job ORDER BY 1"


async def test_an_outage_of_the_database_is_waited_out(deployment: Deployment) -> None:
    async with Proxy(deployment.database_url) as proxy:
        daemon = await asyncio.to_thread(deployment.start, ORCA_DATABASE__URL=proxy.url)
        await asyncio.to_thread(_send, deployment, "op-1")
        await asyncio.to_thread(deployment.await_rows, [("op-1", 4)], STATES)

        proxy.refuse_connections()
        await asyncio.to_thread(_send, deployment, "op-2")
        await asyncio.to_thread(deployment.until, lambda: _breaker_is_open(daemon.url), True)
        await asyncio.to_thread(_send, deployment, "op-3")

        await proxy.accept_connections()
        expected = [("op-1", 4), ("op-2", 4), ("op-3", 4)]
        await asyncio.to_thread(deployment.await_rows, expected, STATES)
        await asyncio.to_thread(deployment.await_empty, "status_update")
        assert deployment.left("status_update_dead_letter") == 0
        output = deployment.log.read_text() + await asyncio.to_thread(_metrics, daemon.url)
        assert str(urlsplit(deployment.database_url).password) not in output
        assert "postgres" in output
        await asyncio.to_thread(daemon.stop)


def _send(deployment: Deployment, job: str) -> None:
    deployment.send("status_update", new_job(job, ["a.hdf"]))
    deployment.send("status_update", update(job, "a.hdf", OrcaStatus.SUCCESS))


def _breaker_is_open(url: str) -> bool:
    """Whether the daemon's breaker for Postgres is open."""
    lines = _metrics(url).splitlines()
    return any(
        line.startswith("orca_daemon_breaker") and "postgres" in line and line.endswith(" 1.0")
        for line in lines
    )


def _metrics(url: str) -> str:
    with urlopen(f"{url}/metrics", timeout=10) as response:  # noqa: S310  our own daemon
        return str(response.read().decode())
