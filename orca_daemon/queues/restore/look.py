"""Looks at every object of a request by HeadObject, and says which of the failures concern one file alone."""

from collections.abc import Sequence
from functools import partial

from orca_daemon.aws.restore import RestoreError
from orca_daemon.aws.s3copy import ObjectHead, ObjectMissingError, S3Object, head_object
from orca_daemon.aws.s3copy.requests import S3RequestError, failed_at_place
from orca_daemon.db.restores import FileName
from orca_daemon.engine.errors import Refused
from orca_daemon.queues.recovery.handler import verdict
from orca_daemon.queues.restore import plan
from orca_daemon.queues.restore.attempt import AT_ONCE, Attempt, Parts, at_most
from orca_daemon.queues.restore.plan import Denied, Found
from orca_daemon.wire.restore import RestoreFile, RestoreGranule


async def look(
    parts: Parts, attempt: Attempt, files: Sequence[tuple[RestoreGranule, RestoreFile]], *, waited: bool
) -> tuple[dict[FileName, Found], list[BaseException]]:
    """What S3 says of each object, and the failures of those that it does not describe now.

    Raises:
        NotYet, DependencyDown, Refused: objects are not described, and the limits need them all; after
            `head_patience` the others go on.
    """
    keys = [file.key for _, file in files]
    results = await at_most(2 * AT_ONCE, partial(_head, parts, attempt), keys)
    found: dict[FileName, Found] = {}
    denied: list[tuple[FileName, Refused]] = []
    failures: list[BaseException] = []
    for (granule, file), result in zip(files, results, strict=True):
        name = plan.name_of(granule, file)
        match result:
            case Refused():
                denied.append((name, result))
            case BaseException():
                failures.append(result)
            case _:
                found[name] = result
                if result is not None:
                    attempt.heads[name] = result
    if denied and not found:
        failures += [error for _, error in denied]
    else:
        # Others can be read, so the place works: these may not be read, or do not exist.
        found |= {name: Denied(error.reason) for name, error in denied}
    if failures and not (waited and found):
        raise verdict(failures)
    return found, failures


async def _head(parts: Parts, attempt: Attempt, key: str) -> ObjectHead | None:
    source = S3Object(attempt.archive, key)
    attempt.seen += 1
    attempt.progress()
    try:
        return await head_object(parts.heads, source)
    except ObjectMissingError:
        return None
    except S3RequestError as failure:
        error = failed_at_place(failure)
        if error is failure:
            raise RestoreError(f"S3 does not describe {source}: {failure.code}") from failure
        raise error from failure
