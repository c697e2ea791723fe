"""What `Database.transact` adds to psycopg2 alone, called in a thread: one INSERT and its commit.

The two take turns, and the best of many short turns counts, so that other load on the machine hardly does.
CPU time is that of this process; the server's is the same both ways.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg2
from sqlalchemy import Connection, text

from bench.report import Report, Target
from bench.size import Size
from orca_daemon.db.database import Database
from orca_daemon.local.postgres import Postgres
from orca_daemon.settings import DatabaseSection

TABLE = "CREATE UNLOGGED TABLE IF NOT EXISTS row_a_message (number int)"
OURS = text("INSERT INTO row_a_message VALUES (:number)")
THEIRS = "INSERT INTO row_a_message VALUES (%(number)s)"
TURN = 200
"""Transactions in a turn."""
MOST_ADDED = 0.55
"""Half of what it was in version 0.2: 1.09 times the CPU time of psycopg2."""
MICRO = 1e6


def measure(size: Size) -> Report:
    """Microseconds of CPU and of time for a transaction, both ways."""
    with Postgres(fast=True) as server:
        ours, theirs = asyncio.run(_compare(server.url(), size.pick(100, 40, 2)))
    figures = {
        "psycopg2 in a thread, µs of CPU": theirs[0],
        "psycopg2 in a thread, µs": theirs[1],
        "transact, µs of CPU": ours[0],
        "transact, µs": ours[1],
    }
    added = max(ours[0] - theirs[0], 0.0) / theirs[0]
    target = Target(name="CPU added / CPU of psycopg2", measured=added, at_most=MOST_ADDED)
    return Report(name="transact", figures=figures, targets=[target])


def _insert(connection: Connection, number: int) -> None:
    connection.execute(OURS, {"number": number})


def _insert_alone(connection: Any, number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(THEIRS, {"number": number})
    connection.commit()


async def _compare(url: str, turns: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """The least CPU time and time of a transaction, in microseconds: ours, then psycopg2's."""
    loop, database = asyncio.get_running_loop(), Database(DatabaseSection.model_validate({"url": url}))
    with ThreadPoolExecutor() as threads, closing(psycopg2.connect(url)) as connection:
        with connection.cursor() as cursor:
            cursor.execute(TABLE)
        connection.commit()

        async def ours(number: int) -> None:
            await database.transact(_insert, number)

        async def theirs(number: int) -> None:
            await loop.run_in_executor(threads, _insert_alone, connection, number)

        results = [(await _turn(ours), await _turn(theirs)) for _ in range(turns)]
    database.close()
    return _least([turn[0] for turn in results]), _least([turn[1] for turn in results])


async def _turn(transact: Callable[[int], Awaitable[None]]) -> tuple[float, float]:
    cpu, began = time.process_time(), time.perf_counter()
    for number in range(TURN):
        await transact(number)
    used, took = time.process_time() - cpu, time.perf_counter() - began
    return used / TURN * MICRO, took / TURN * MICRO


def _least(turns: list[tuple[float, float]]) -> tuple[float, float]:
    return min(cpu for cpu, _ in turns), min(took for _, took in turns)
