"""Many processes write about one granule at once: none of them deadlocks, and the newest version stays."""

import json
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.waiting import PATIENCE, until

ROOT = Path(__file__).parents[3]
OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


def start(url: str, seed: int, writers: int, rounds: int) -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-m", "tests.queues.catalog.writer", url, *map(str, (seed, writers, rounds))]
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def newest(outputs: Iterable[str]) -> dict[str, str]:
    """The newest version of each file, of those that the processes wrote."""
    versions: dict[str, str] = {}
    for output in outputs:
        for key, version in json.loads(output).items():
            versions[key] = max(versions.get(key, ""), version)
    return versions


def answer(cursor: Any, question: str) -> Any:
    cursor.execute(question)
    return cursor.fetchone()[0]


@pytest.mark.parametrize(
    ("processes", "writers", "rounds"),
    [
        pytest.param(2, 12, 3, id="24 writers"),
        pytest.param(4, 50, 10, id="200 writers", marks=pytest.mark.matrix),
    ],
)
def test_writers_of_one_granule_never_deadlock(
    database_url: str, processes: int, writers: int, rounds: int
) -> None:
    started = [start(database_url, seed, writers, rounds) for seed in range(processes)]
    outputs = [process.communicate(timeout=PATIENCE * 10) for process in started]
    assert [process.returncode for process in started] == [0] * processes, outputs
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        # A session reports its deadlocks when it ends at the latest.
        until(lambda: answer(cursor, OTHERS) == 0)
        assert answer(cursor, DEADLOCKS) == 0
        cursor.execute("SELECT key_path, version FROM orca.files")
        assert dict(cursor.fetchall()) == newest(output for output, _ in outputs)
