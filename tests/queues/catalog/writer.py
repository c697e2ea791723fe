"""A process in which many writers write runs about the same granules: `writer.py URL SEED WRITERS ROUNDS`.

Writes the newest time of each file to standard output, as JSON.
"""

import asyncio
import json
import random
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from orca_daemon.db.database import Database
from orca_daemon.queues.catalog.store import apply
from orca_daemon.settings import DatabaseSection
from orca_daemon.wire import catalog
from orca_daemon.wire.catalog import CatalogRecord
from tests.queues.catalog.messages import body, file

CONNECTIONS = 20
GRANULES = ("one", "one", "one", "two")
"""Most runs are about one granule."""
KEYS = tuple(f"d/{number}" for number in range(12))
_BEGAN = datetime(2026, 11, 20, tzinfo=UTC)


def run_of(rng: random.Random) -> list[CatalogRecord]:
    """One message or five, which name providers, collections, granules and files in any order."""
    return [catalog.decode(json.dumps(_message(rng))) for _ in range(rng.choice((1, 1, 5)))]


def _message(rng: random.Random) -> dict[str, Any]:
    time = (_BEGAN + timedelta(microseconds=rng.getrandbits(36))).isoformat()
    files = [file(key, version=time, ingestTime=time) for key in rng.sample(KEYS, 8)]
    number = rng.randrange(3)
    return body(*files, granule_id=rng.choice(GRANULES), lastUpdate=time, executionId=time) | {
        "provider": {"providerId": f"p{rng.randrange(3)}", "name": None},
        "collection": {"collectionId": f"C___{number}", "shortname": "C", "version": str(number)},
    }


async def write(database: Database, rng: random.Random, rounds: int, newest: dict[str, str]) -> None:
    """One writer."""
    for _ in range(rounds):
        messages = run_of(rng)
        await database.transact(apply, messages)
        for each in messages:
            for written in each.granule.files:
                newest[written.key_path] = max(newest.get(written.key_path, ""), written.version)


async def main(url: str, seed: int, writers: int, rounds: int) -> dict[str, str]:
    """Run all writers of this process."""
    database = Database(
        DatabaseSection.model_validate({"url": url, "pool_size": CONNECTIONS, "pool_timeout": 600})
    )
    newest: dict[str, str] = {}
    await asyncio.gather(
        *(write(database, random.Random(f"{seed}-{number}"), rounds, newest) for number in range(writers))
    )
    database.close()
    return newest


if __name__ == "__main__":
    url, *numbers = sys.argv[1:]
    seed, writers, rounds = map(int, numbers)
    sys.stdout.write(json.dumps(asyncio.run(main(url, seed, writers, rounds))))
