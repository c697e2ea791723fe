"""Sends requests at a fixed rate, whatever the answers take, and prints their seconds as JSON.

Each request has its time, and its duration counts from that time on: a server that stands still is charged
with all the requests that should have been sent meanwhile.
"""

import asyncio
import json
import sys
import time

import aiohttp

CONNECTIONS = 64
_BEFORE = 50
"""Requests that are not measured: connections are opened, and pages of the database read."""


async def run(url: str, requests: list[tuple[str, str]], rate: float) -> list[float]:
    """Send the requests (path, body), so many a second; returns the seconds of each."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as session:
        for path, body in requests[:_BEFORE]:
            await _one(session, url + path, body, time.monotonic())
        began = time.monotonic() + 0.5
        return await asyncio.gather(
            *(
                _one(session, url + path, body, began + number / rate)
                for number, (path, body) in enumerate(requests)
            )
        )


async def _one(session: aiohttp.ClientSession, url: str, body: str, at: float) -> float:
    await asyncio.sleep(at - time.monotonic())
    async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
        await response.read()
        assert response.status == 200, response.status
    return time.monotonic() - at


def main() -> None:
    """Read the work from standard input, and print the seconds."""
    work = json.load(sys.stdin)
    print(json.dumps(asyncio.run(run(work["url"], work["requests"], work["rate"]))))


if __name__ == "__main__":
    main()
