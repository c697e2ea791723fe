"""An inventory compared with the catalog by us, and by ORCA's way: a load into a table and three statements.

Our time includes everything from the manifest to the commit: S3, MD5, decoding, start of the child, reports.
ORCA's time starts with files that are already on the disk of the Postgres server.

`--rows N` measures only our way at this size, in turns with the fastest COPY of the catalog, and with
DuckDB's Postgres extension, if it can be installed.  More than ten million rows are compared once, in
Parquet, without the extension.
"""

import os

from bench.reconcile.case import FORMS, Case, Run
from bench.reconcile.floor import Floor, fastest_copy
from bench.reconcile.orca import orca
from bench.reconcile.peer import add_peers
from bench.report import Report, Target
from bench.size import Size
from orca_daemon.local.moto import CREDENTIALS, Moto
from orca_daemon.local.postgres import Postgres

TINY, SHORT, FULL, OURS_ONLY = (5_000,), (300_000,), (1_000_000, 3_000_000), 10_000_000
MIN_SPEED_UP = {"csv": 6.0, "parquet": 9.0}
LINEAR = 1.2
TURNS = 3


def measure(size: Size) -> Report:
    """Both ways at each size on the same Postgres; the largest size only our way."""
    os.environ.update(CREDENTIALS)
    figures: dict[str, float] = {}
    targets: list[Target] = []
    with Postgres(fast=True) as postgres, Moto() as s3:
        for objects in size.pick(FULL, SHORT, TINY):
            with Case(postgres, s3.url, objects) as case:
                # A smaller inventory is dominated by the start of the child, so its target is lower.
                rounds = size.pick(2, 2, 1)
                _measure_both(case, figures, targets, rounds, target_factor=size.pick(1.0, 0.6, 0.6))
        if size is Size.FULL:
            with Case(postgres, s3.url, OURS_ONLY) as case:
                _measure_ours(case, figures, targets)
                add_peers(case, figures, targets)
    return Report(name="reconcile", figures=figures, targets=targets)


def measure_rows(rows: int) -> Report:
    """Our way at one size, in turns with the fastest COPY."""
    os.environ.update(CREDENTIALS)
    figures: dict[str, float] = {}
    targets: list[Target] = []
    large = rows > OURS_ONLY
    forms = FORMS[:1] if large else FORMS
    with Postgres(fast=True) as postgres, Moto() as s3, Case(postgres, s3.url, rows, forms) as case:
        for form in forms:
            _add_turns(case, form, figures, targets, turns=1 if large else TURNS)
        if not large:
            add_peers(case, figures, targets)
    return Report(name="reconcile", figures=figures, targets=targets)


def _measure_both(
    case: Case, figures: dict[str, float], targets: list[Target], rounds: int, target_factor: float
) -> None:
    name = f"{case.size / 1e6:g}M"
    ours = {}
    for form in ("csv", "parquet"):
        ours[form] = case.best(form, rounds)
        figures[f"{name} {form} seconds"] = ours[form].seconds
        figures[f"{name} {form} child CPU seconds"] = ours[form].cpu_seconds
        figures[f"{name} {form} child peak MiB"] = ours[form].peak_mib
    floor = fastest_copy(case).seconds
    figures[f"{name} catalog alone seconds"] = floor
    theirs, counts = orca(case)
    figures[f"{name} orca seconds"] = theirs
    for form, run in ours.items():
        assert run.counts == counts, (run.counts, counts)
        figures[f"{name} {form} share of catalog"] = floor / run.seconds
        figures[f"{name} {form} rows a second"] = 2 * case.size / run.seconds
        targets.append(
            Target(
                name=f"{name} {form} times ORCA's speed",
                measured=theirs / run.seconds,
                at_least=MIN_SPEED_UP[form] * target_factor,
            )
        )
        targets.append(Target(name=f"{name} {form} peak MiB", measured=run.peak_mib, at_most=case.memory_mib))


def _measure_ours(case: Case, figures: dict[str, float], targets: list[Target]) -> None:
    name, before = f"{case.size / 1e6:g}M", f"{FULL[-1] / 1e6:g}M"
    for form in ("csv", "parquet"):
        run = _add_turns(case, form, figures, targets)
        linear_cpu = figures[f"{before} {form} child CPU seconds"] * case.size / FULL[-1]
        figures[f"{name} {form} CPU over linear"] = run.cpu_seconds / linear_cpu
        linear = figures[f"{before} {form} seconds"] * case.size / FULL[-1]
        targets.append(
            Target(name=f"{name} {form} over linear", measured=run.seconds / linear, at_most=LINEAR)
        )


def _add_turns(
    case: Case, form: str, figures: dict[str, float], targets: list[Target], turns: int = TURNS
) -> Run:
    """Measure our way and the fastest COPY in turns: others who use the machine slow down both."""
    name = f"{case.size / 1e6:g}M {form}"
    pairs = [(case.best(form, 1), fastest_copy(case)) for _ in range(turns)]
    run = min((run for run, _ in pairs), key=lambda run: run.seconds)
    floor = min((floor for _, floor in pairs), key=lambda floor: floor.seconds)
    _add_processor(f"{name}", run, floor, figures)
    figures[f"{name} seconds"] = run.seconds
    figures[f"{name} catalog alone seconds"] = floor.seconds
    figures[f"{name} catalog alone connections"] = floor.connections
    # The median, because in one turn others may have used the machine more.
    ratios = sorted(run.seconds / floor.seconds for run, floor in pairs)
    figures[f"{name} times the catalog alone"] = ratios[len(ratios) // 2]
    peak = max(run.peak_mib for run, _ in pairs)
    figures[f"{name} child peak MiB"] = peak
    targets.append(Target(name=f"{name} peak MiB", measured=peak, at_most=case.memory_mib))
    return run


def _add_processor(name: str, run: Run, floor: Floor, figures: dict[str, float]) -> None:
    used = run.processor
    figures[f"{name} CPU seconds"] = used.everything
    figures[f"{name} CPU seconds: Postgres"] = used.server
    figures[f"{name} CPU seconds: child"] = run.cpu_seconds
    figures[f"{name} CPU seconds: daemon"] = used.here
    figures[f"{name} CPU seconds: S3"] = used.everything - used.server - run.cpu_seconds - used.here
    figures[f"{name} catalog alone CPU seconds"] = floor.processor.everything
    figures[f"{name} catalog alone CPU seconds: Postgres"] = floor.processor.server
    figures[f"{name} cores in use"] = used.everything / run.seconds
    figures[f"{name} CPU over that of the catalog alone"] = used.everything / floor.processor.everything
