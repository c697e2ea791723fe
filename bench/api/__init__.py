"""ORCA's read API on a catalog of ten million granules and forty million files, and on a million recoveries.

The database is loaded once; `ORCA_BENCH_API_DATA` names a directory to keep it in, for a second run.
"""

import hashlib
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.api.database import GRANULES_OF_A_JOB, Scale, prepare
from bench.api.server import console_process
from bench.report import Report, Target
from bench.size import Size
from orca_daemon.local.postgres import Postgres

RATE = 200.0
"""Status requests a second."""
PAGE = 100
_NOW = 4_000_000_000_000
"""After every granule, in milliseconds."""
_CATALOG = "/orca_api/catalog/reconcile"
_BIG = "PRODUCT000___006"
"""A tenth of the granules; its names come first."""
_LAST = "PRODUCT099___006"
"""A hundredth of the granules; its names come last."""
_DAY = 86_400_000
_PATIENCE = 120


def measure(size: Size) -> Report:
    """Load the database, serve it, and ask: pages one after another, pages far away, status at a rate."""
    granules = size.pick(10_000_000, 100_000, 3_000)
    scale = Scale(granules, recoveries=granules // 10, differences=granules // 20)
    folder = os.environ.get("ORCA_BENCH_API_DATA")
    with Postgres(Path(folder) if folder else None, fast=True) as server:
        url = prepare(server, scale, lambda text: print(text, file=sys.stderr))
        with console_process(url, statement_timeout="60") as (console, process):
            figures, targets = _pages(console, scale, size.pick(60, 30, 3))
            # One core is enough for the console; the database and the client may use all.
            os.sched_setaffinity(process, {0})
            spent = _processor_seconds(process)
            status = _status(console, scale, size.pick(30, 5, 1))
            spent = _processor_seconds(process) - spent
    quantiles = statistics.quantiles(status, n=100)
    figures |= {
        "status, median ms": 1e3 * quantiles[49],
        "status, 95th ms": 1e3 * quantiles[94],
        "status, the console's processor time, ms": 1e3 * spent / len(status),
    }
    targets.append(
        Target(name=f"status at {RATE:g}/s on one core, 99th ms", measured=1e3 * quantiles[98], at_most=20)
    )
    return Report(name="api", figures=figures, targets=targets)


def _processor_seconds(process: int) -> float:
    """Seconds of processor time of a process so far, whatever else runs; 0 where there is no /proc."""
    file = Path(f"/proc/{process}/stat")
    fields = file.read_text().rpartition(")")[2].split() if file.exists() else []
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _pages(console: str, scale: Scale, pages: int) -> tuple[dict[str, float], list[Target]]:
    """Milliseconds of pages one after another of several lists, and seconds of pages far away."""
    start = 1_483_228_800_000 + scale.granules // 2 * 10_000
    lists: dict[str, tuple[str, dict[str, Any]]] = {
        "all": (_CATALOG, {}),
        "large collection": (_CATALOG, {"collectionId": [_BIG]}),
        "last collection": (_CATALOG, {"collectionId": [_LAST]}),
        "both, one provider": (
            _CATALOG,
            {"collectionId": [_LAST, _BIG], "providerId": ["provider_1", "provider_3"]},
        ),
        "ten days": (_CATALOG, {"startTimestamp": start, "endTimestamp": start + 10 * _DAY}),
        **{
            report: (
                f"/orca_api/orca/datamanagement/reconciliation/internal/jobs/job/1/{report}",
                {"jobId": 1},
            )
            for report in ("orphans", "phantoms", "mismatches")
        },
        "jobs": ("/orca_api/orca/datamanagement/reconciliation/internal/jobs", {}),
    }
    figures: dict[str, float] = {}
    targets = []
    for name, (path, asked) in lists.items():
        seconds = [_ask(console, path, asked, page) for page in range(pages)]
        figures[f"first page, {name}, ms"] = 1e3 * seconds[0]
        print(f"{name}: {1e3 * statistics.median(seconds[1:]):.1f} ms", file=sys.stderr)
        figures[f"next page, {name}, median ms"] = 1e3 * statistics.median(seconds[1:])
        figures[f"next page, {name}, longest ms"] = 1e3 * max(seconds[1:])
        if path == _CATALOG:
            median = 1e3 * statistics.median(seconds[1:])
            targets.append(Target(name=f"next page, {name}, median ms", measured=median, at_most=100))
    far = _far_away(console, scale)
    figures |= {f"random page {number}, s": seconds for number, seconds in enumerate(far, 1)}
    targets.append(Target(name="random page far away, longest s", measured=max(far), at_most=10))
    return figures, targets


def _far_away(console: str, scale: Scale) -> list[float]:
    """Seconds of random pages; each is of a list that was never read, so nothing is remembered of it."""
    chosen = random.Random(15)
    last = scale.granules // PAGE
    pages = [chosen.randrange(last // 2, last) for _ in range(5)]
    return [
        _ask(console, _CATALOG, {"endTimestamp": _NOW - number - 1}, page)
        for number, page in enumerate([*pages, last - 1])
    ]


def _ask(console: str, path: str, asked: dict[str, Any], page: int) -> float:
    """Seconds of one request."""
    body = json.dumps({"endTimestamp": _NOW, **asked, "pageIndex": page}).encode()
    connection = http.client.HTTPConnection(urlsplit(console).netloc, timeout=_PATIENCE)
    began = time.monotonic()
    connection.request("POST", path, body)
    answer = json.load(connection.getresponse())
    seconds = time.monotonic() - began
    connection.close()
    assert "anotherPage" in answer, answer
    return seconds


def _status(console: str, scale: Scale, seconds: int) -> list[float]:
    """Seconds of each of the status requests: of jobs and of granules, by turns."""
    chosen = random.Random(15)
    numbers = [chosen.randrange(scale.recoveries) for _ in range(int(RATE * seconds))]
    jobs = _job_ids({number // GRANULES_OF_A_JOB for number in numbers})
    requests = [
        ("/orca_api/recovery/jobs", json.dumps({"asyncOperationId": jobs[number // GRANULES_OF_A_JOB]}))
        if turn % 2
        else (
            "/orca_api/recovery/granules",
            json.dumps({"collectionId": _BIG, "granuleId": f"granule-{number}"}),
        )
        for turn, number in enumerate(numbers)
    ]
    process = subprocess.run(
        [sys.executable, "-m", "bench.api.load"],
        input=json.dumps({"url": console, "requests": requests, "rate": RATE}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [float(value) for value in json.loads(process.stdout)]


def _job_ids(numbers: set[int]) -> dict[int, str]:
    """The ids that `bench.api.database` gives."""
    return {
        number: str(uuid.UUID(hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()))
        for number in numbers
    }
