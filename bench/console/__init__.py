"""How soon every page of the console begins to arrive, and how large it is, for a busy archive.

`ORCA_BENCH_DATABASE` names a database that is filled already (`bench.console.generate`), because filling one
takes a quarter of an hour.
"""

import http
import http.client
import os
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg2

from bench.console.generate import fill
from bench.report import Report, Target
from bench.size import Size
from orca_daemon.local.daemon import Daemon
from orca_daemon.local.ports import free_port
from orca_daemon.local.stack import Stack

_FIRST_BYTE = 300.0
"""Milliseconds."""
_LARGEST = 200.0
"""Kilobytes."""


class ConsoleProcess(Daemon):
    """`orca-daemon console`."""

    program = ("-m", "orca_daemon", "console")


def measure(size: Size) -> Report:
    """First byte and size of every page; the first request of each counts as well as the repeated ones."""
    scale, repeats = size.pick((1.0, 20), (0.01, 5), (0.0002, 2))
    with Stack() as stack:
        environment = _environment(stack)
        filled = os.environ.get("ORCA_BENCH_DATABASE")
        url = filled or environment["ORCA_DATABASE__URL"]
        if not filled:
            fill(url, scale)
        with _console({**environment, "ORCA_DATABASE__URL": url}) as port:
            measured = {name: _measured(port, path, repeats) for name, path in _paths(url).items()}
    figures: dict[str, float] = {}
    for name, (first, times, length) in measured.items():
        figures[f"{name}: first request, ms"] = first
        figures[f"{name}: median, ms"] = statistics.median(times)
        figures[f"{name}: kB"] = length
    slowest = max(measured, key=lambda name: statistics.median(measured[name][1]))
    largest = max(measured, key=lambda name: measured[name][2])
    targets = [
        Target(
            name=f"first byte of the slowest page ({slowest}), ms",
            measured=statistics.median(measured[slowest][1]),
            at_most=_FIRST_BYTE,
        ),
        Target(name=f"largest page ({largest}), kB", measured=measured[largest][2], at_most=_LARGEST),
    ]
    return Report(name="console", figures=figures, targets=targets)


def _environment(stack: Stack) -> Mapping[str, str]:
    from orca_daemon.local.state import running

    return running(stack.state.path).environment


@contextmanager
def _console(environment: Mapping[str, str]) -> Iterator[int]:
    port = free_port()
    variables = {**environment, "ORCA_CONSOLE__LISTEN": f"127.0.0.1:{port}"}
    process = ConsoleProcess(variables, f"http://127.0.0.1:{port}", Path(os.devnull))
    process.start()
    try:
        yield port
    finally:
        process.stop()


def _paths(url: str) -> dict[str, str]:
    """Every page, with ids of large things."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:

        def one(statement: str) -> str:
            cursor.execute(statement)
            (found,) = cursor.fetchone() or ("",)
            return quote(str(found), safe="")

        large = one("SELECT md5('large job1')::uuid::text")
        small = one("SELECT job_id FROM orca.recovery_job ORDER BY request_time LIMIT 1")
        letter = one("SELECT id FROM orca.orca_daemon_dead_letter LIMIT 1")
        job = one("SELECT min(id) FROM orca.reconcile_job")
        action = one("SELECT id FROM orca.orca_daemon_action LIMIT 1")
        key = one("SELECT key_path FROM orca.recovery_file LIMIT 1")
    return {
        "now": "/",
        "recoveries": "/recoveries",
        **{
            f"recoveries, {status}": f"/recoveries?status={status}"
            for status in ("not_copied", "open", "stuck", "failed", "copied")
        },
        "recoveries of a collection that has none": "/recoveries?collection=none",
        "recoveries in progress of a bucket that has none": "/recoveries?status=open&bucket=none",
        "recoveries of a year ago": "/recoveries?until=2000-01-01",
        "search for a job": f"/recoveries?q={small[:8]}",
        "search for a key": f"/recoveries?q={key}",
        "a large recovery": f"/recoveries/job?id={large}",
        "its failed files": f"/recoveries/job?id={large}&status=failed",
        "failures": "/failures",
        "dead letters": "/dead-letters",
        "dead letters, searched": "/dead-letters?q=does+not+exist&state=all",
        "a dead letter": f"/dead-letters/letter?id={letter}",
        "reconciliation": "/reconciliation",
        "a large comparison": f"/reconciliation/job?id={job}",
        "a large comparison, searched": f"/reconciliation/job?id={job}&q=A2021000777",
        "exports": "/exports",
        "actions": "/actions",
        "an action": f"/actions/action?id={action}",
    }


def _measured(port: int, path: str, repeats: int) -> tuple[float, list[float], float]:
    """First byte of the first request and of the repeated ones, ms; and kilobytes."""
    first, length = _asked(port, path)
    return first, [_asked(port, path)[0] for _ in range(repeats)], length


def _asked(port: int, path: str) -> tuple[float, float]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.connect()
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        first = (time.perf_counter() - began) * 1000
        body = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{urlsplit(path).path} answers {answer.status}")
        return first, len(body) / 1000
