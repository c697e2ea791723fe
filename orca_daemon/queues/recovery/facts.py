"""What the log line of a finished message says of its copies."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from orca_daemon.aws.s3copy import Copied, S3Object
from orca_daemon.engine.verdict import reason
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.recovery import RecoveryMessage

MOST = 20
"""Results that one log line lists one by one."""


@dataclass(frozen=True, slots=True)
class Result:
    """How the copy of one object to one bucket ended: `copied` or `error` is set."""

    source: S3Object
    target: S3Object | None
    """None where it came to no copy."""
    copied: Copied | None = None
    error: Exception | None = None


def describe(message: RecoveryMessage) -> dict[str, str]:
    """What is known before any work."""
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


@dataclass(slots=True)
class Findings:
    """What one attempt at a message came to."""

    results: list[Result] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    """Records of S3 events, by what they came to."""

    def failed(self, source: S3Object, error: Exception) -> None:
        """Record that an object failed, unless one of its copies already recorded the failure."""
        if not any(result.source == source and result.error for result in self.results):
            self.results.append(Result(source, None, error=error))

    def facts(self) -> dict[str, str]:
        """All of it, for the log line."""
        text = ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items()))
        only = next(iter(self.outcomes), "") if self.outcomes.total() == 1 else text
        return {**({"outcome": only} if only else {}), **_of_results(self.results)}


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
    ended = [_ending(result) for result in results]
    counts = {f"files_{name}": str(ended.count(name)) for name in ("copied", "skipped", "failed")}
    return {**counts, "results": json.dumps([_seed(result) for result in results[:MOST]])}


def _of_one(result: Result) -> dict[str, str]:
    facts = {"target": str(result.target)} if result.target else {}
    facts["result"] = _ending(result)
    if result.copied:
        copied = result.copied
        facts |= {"bytes": str(copied.size), "verified_by": copied.by}
        if not copied.skipped:
            facts |= {"parts": str(copied.parts), "copy_seconds": f"{copied.seconds:.3f}"}
    if result.error:
        facts["error"] = reason(result.error)
    return facts


def _ending(result: Result) -> str:
    if result.copied is None:
        return "failed"
    return "skipped" if result.copied.skipped else "copied"


def _bucket(result: Result) -> str:
    return result.target.bucket if result.target else ""


def _seed(result: Result) -> dict[str, object]:
    """The keys that operators know from ORCA's first disaster recovery."""
    return {
        "success": result.copied is not None,
        "source_bucket": result.source.bucket,
        "source_key": result.source.key,
        "target_bucket": _bucket(result),
        "err_msg": reason(result.error) if result.error else "",
    }
