"""Writers and runs in random order: in the end, every row is in exactly one file."""

import random
import threading
from collections import Counter
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import Any

import psycopg2
import pytest

from tests.export.conftest import HOUR, T0, Exporter, Source, table
from tests.export.readers import FILLER, Copies, watch

STEPS, RUNS = 60, 9


class Writers:
    """Transactions that begin, write (with savepoints or without) and end in random order."""

    def __init__(self, url: str, stack: ExitStack, chance: random.Random) -> None:
        self._connections = [stack.enter_context(closing(psycopg2.connect(url))) for _ in range(5)]
        self._open: dict[Any, list[int]] = {}
        self._chance, self._next = chance, 0
        self._lock = threading.Lock()
        self.committed: list[int] = []

    def step(self, now: float) -> None:
        """Take one step at `now`, in hours since `T0`."""
        with self._lock:
            connection = self._chance.choice(self._connections)
            if connection in self._open and self._chance.random() < 0.4:
                self._end(connection)
            else:
                self._write(connection, now)

    def end(self) -> None:
        for connection in list(self._open):
            self._end(connection)

    def _write(self, connection: Any, now: float) -> None:
        number, self._next = self._next, self._next + 1
        stamp = T0 + timedelta(hours=now - self._chance.choice([-0.3, 0, 0.1, 1, 5]))
        kept = True
        with connection.cursor() as cursor:
            nested = self._chance.random() < 0.5
            if nested:
                cursor.execute("SAVEPOINT s")
            cursor.execute("INSERT INTO staff VALUES (%s, %s)", (number, stamp))
            if nested:
                kept = self._chance.random() < 0.8
                cursor.execute("RELEASE SAVEPOINT s" if kept else "ROLLBACK TO SAVEPOINT s")
        written = self._open.setdefault(connection, [])
        if kept:
            written.append(number)

    def _end(self, connection: Any) -> None:
        written = self._open.pop(connection)
        if self._chance.random() < 0.85:
            connection.commit()
            self.committed += written
        else:
            connection.rollback()


@pytest.mark.parametrize("seed", range(4))
async def test_every_row_is_in_exactly_one_file(source: Source, exporter: Exporter, seed: int) -> None:
    source.run("CREATE TABLE staff (id int, last_updated timestamptz)")

    await _run(source, exporter, random.Random(seed), Copies())


@pytest.mark.parametrize("seed", range(4))
async def test_every_row_is_in_exactly_one_file_if_three_connections_read_while_others_write(
    source: Source, exporter: Exporter, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    source.run(f"CREATE TABLE staff (id int, last_updated timestamptz, {FILLER})")
    copies = watch(monkeypatch, exporter)

    await _run(source, exporter, random.Random(seed), copies)

    assert len(copies.order) > RUNS


async def _run(source: Source, exporter: Exporter, chance: random.Random, copies: Copies) -> None:
    """Writers also take a step before each part that `copies` watches."""
    exported = Counter[int]()
    runs = sorted(chance.sample(range(STEPS), RUNS))
    with ExitStack() as stack:
        writers = Writers(source.url, stack, chance)
        for step in range(STEPS):
            writers.step(step / 10)
            if step in runs:
                copies.before = lambda _session, _part, now=step / 10: writers.step(now)  # type: ignore[misc]
                exported.update(
                    row["id"] for row in await exporter.rows(T0 + step * HOUR / 10, table("staff"))
                )
        copies.before = lambda _session, _part: None
        writers.end()
    for later in (10, 11):
        exported.update(row["id"] for row in await exporter.rows(T0 + later * HOUR, table("staff")))

    assert exported == Counter(writers.committed)
    assert len(writers.committed) > STEPS / 4
