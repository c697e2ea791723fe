"""Log lines and metrics of copies: progress of long ones, and the facts in the log line of a message."""

import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import structlog

from orca_daemon.aws.s3copy import Copied, CopyProgress, S3Object
from orca_daemon.aws.s3copy.plan import MIB
from orca_daemon.engine.verdict import reason
from orca_daemon.ops.metrics.copies import CopyMetrics, CopyOutcome
from orca_daemon.ops.work_in_progress import Work, WorkInProgress
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.recovery import RecoveryMessage

EVERY = 30.0
"""Seconds between two log lines about one copy."""
MOST = 20
"""Results that one log line lists one by one."""
_log: Any = structlog.get_logger()


class EventOutcome(StrEnum):
    """How one record of an S3 event was handled; the label of a metric."""

    RECOVERED = "recovered"
    """Copied for every row that waited."""
    ROUTED = "routed"
    """Without rows; copied to the bucket of the rule for disaster recovery."""
    DUPLICATE = "duplicate"
    """All rows were closed already."""
    RESTORING = "restoring"
    """Not readable yet; S3 sends another event."""
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    """Without rows, and rejected."""
    TEST = "test"
    EMPTY = "empty"


class CopyTelemetry:
    """Counts bytes as they are copied, and logs long copies."""

    def __init__(
        self, metrics: CopyMetrics, work: WorkInProgress | None = None, every: float = EVERY
    ) -> None:
        self.metrics = metrics
        self._work = work or WorkInProgress()
        self._shown: dict[S3Object, Work] = {}
        self._every = every
        self._logged: dict[S3Object, float] = {}
        """Age of each copy, in seconds, at its last log line."""

    def moved(self, progress: CopyProgress) -> None:
        """Record the progress of a copy; the copier's observer."""
        self.metrics.bytes.inc(progress.step)
        if work := self._shown.get(progress.target):
            work.show(done=progress.done, total=progress.size, unit="bytes")
        logged = self._logged.get(progress.target, 0.0)
        if progress.done >= progress.size:
            self._logged.pop(progress.target, None)
        elif due(progress, logged, self._every):
            self._logged[progress.target] = progress.seconds
            _log.info("copy.progress", **line(progress))

    @asynccontextmanager
    async def timed(self, target: S3Object) -> AsyncIterator[list[Copied]]:
        """Measure one copy; the caller appends its result to the list."""
        began, result = time.monotonic(), list[Copied]()
        try:
            with self._work.begin("copy", str(target)) as self._shown[target]:
                yield result
        except Exception:
            self.metrics.ended(CopyOutcome.FAILED, time.monotonic() - began)
            raise
        else:
            self.metrics.ended(_outcome(result[0]), time.monotonic() - began)
        finally:
            self._logged.pop(target, None)
            self._shown.pop(target, None)


def due(progress: CopyProgress, logged: float, every: float) -> bool:
    """Whether to log a line now, if the last one was logged when the copy was `logged` seconds old."""
    return progress.step > 0 and progress.seconds - logged >= every


def line(progress: CopyProgress) -> dict[str, object]:
    """The fields of a progress line."""
    return {
        "source": str(progress.source),
        "target": str(progress.target),
        "bytes": progress.done,
        "size": progress.size,
        "mib_per_second": round(progress.rate / MIB, 1),
        "seconds_left": None if progress.left is None else round(progress.left),
    }


def describe(message: RecoveryMessage) -> dict[str, str]:
    """The facts that are known before any work."""
    if isinstance(message, CopyRequest):
        return {
            "job_id": message.job_id,
            "granule_id": message.granule_id,
            "filename": message.filename,
            "source": str(S3Object(message.source_bucket, message.source_key)),
            "target": str(S3Object(message.restore_destination, message.target_key)),
        }
    if not message.records:
        return {"event": "s3:TestEvent" if message.test else "no records"}
    first = message.records[0]
    facts = {"s3_event": first.name or "synthetic", "source": str(S3Object(first.bucket, first.key))}
    return facts if len(message.records) == 1 else {**facts, "records": str(len(message.records))}


@dataclass(frozen=True, slots=True)
class Result:
    """How the copy of one object to one bucket ended: either `copied` or `error` is set."""

    source: S3Object
    target: S3Object | None
    """None if it is not known, because no copy was started."""
    copied: Copied | None = None
    error: Exception | None = None

    @property
    def outcome(self) -> CopyOutcome:
        """How it ended."""
        return CopyOutcome.FAILED if self.copied is None else _outcome(self.copied)


@dataclass(slots=True)
class AttemptResults:
    """The results of one attempt at a message."""

    results: list[Result] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    """Number of records of S3 events, by `EventOutcome`."""
    jobs: dict[str, None] = field(default_factory=dict)
    """The jobs that waited for it, each once: an S3 event names none."""
    first: bool = False
    """Whether no attempt is known to have been made before, here or elsewhere."""

    def recorded(self, source: S3Object) -> bool:
        """Whether one of the copies of this object recorded that it failed."""
        return any(result.source == source and result.error for result in self.results)

    def failed(self, source: S3Object, buckets: Collection[str], error: Exception) -> None:
        """Record that no copy of an object was started to these buckets; there are none if none is known."""
        targets = [S3Object(bucket, source.key) for bucket in buckets]
        self.results += [Result(source, target, error=error) for target in targets or (None,)]

    def facts(self) -> dict[str, str]:
        """All of it, for the log line."""
        text = ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items()))
        only = next(iter(self.outcomes), "") if self.outcomes.total() == 1 else text
        jobs = {"job_id": ", ".join(list(self.jobs)[:MOST])} if self.jobs else {}
        return {**jobs, **({"outcome": str(only)} if only else {}), **_of_results(self.results)}


def _of_results(results: Sequence[Result]) -> dict[str, str]:
    """The facts of one copy, or the counts and the list of many."""
    if not results:
        return {}
    if len(results) == 1:
        return _of_one(results[0])
    # Copies finish in arbitrary order, so sort them.  Failures first: only the first `MOST` results are
    # logged.
    results = sorted(
        results, key=lambda result: (result.copied is not None, str(result.source), _bucket(result))
    )
    outcomes = [result.outcome for result in results]
    counts = {
        f"files_{name}": str(outcomes.count(name))
        for name in (CopyOutcome.COPIED, CopyOutcome.SKIPPED, CopyOutcome.FAILED)
    }
    return {**counts, "results": json.dumps([_orca_keys(result) for result in results[:MOST]])}


def _of_one(result: Result) -> dict[str, str]:
    facts = {"target": str(result.target)} if result.target else {}
    facts["result"] = result.outcome.value
    if result.copied:
        copied = result.copied
        facts |= {"bytes": str(copied.size), "verified_by": copied.by}
        if not copied.skipped:
            facts |= {"parts": str(copied.parts), "copy_seconds": f"{copied.seconds:.3f}"}
    if result.error:
        facts["error"] = reason(result.error)
    return facts


def _outcome(copied: Copied) -> CopyOutcome:
    return CopyOutcome.SKIPPED if copied.skipped else CopyOutcome.COPIED


def _bucket(result: Result) -> str:
    return result.target.bucket if result.target else ""


def _orca_keys(result: Result) -> dict[str, object]:
    """The keys that operators know from ORCA's own disaster recovery."""
    return {
        "success": result.copied is not None,
        "source_bucket": result.source.bucket,
        "source_key": result.source.key,
        "target_bucket": _bucket(result),
        "err_msg": reason(result.error) if result.error else "",
    }
