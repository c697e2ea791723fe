"""What to do about files whose objects cannot be copied now: a sentence, and the command if there is one."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orca_daemon.operations.recovery import CheckedFile, FileState
from orca_daemon.wire.status import RecoveryStatus

_GRANULES = 5
"""Granules that a command names."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to do."""

    text: str
    command: str = ""


def advice(job: str, checked: Sequence[CheckedFile]) -> list[Advice]:
    """What to do for each state in which objects are, except those that can be copied."""
    found: list[Advice] = []
    for state, of_state in _ADVICE.items():
        files = [each for each in checked if each.file_state is state]
        if files:
            found.append(of_state(job, files))
    return found


def _archived(_job: str, files: Sequence[CheckedFile]) -> Advice:
    first = files[0].file
    of_collection = [each.file for each in files if each.file.collection_id == first.collection_id]
    granules = list(dict.fromkeys(file.granule_id for file in of_collection))
    named = granules[:_GRANULES]
    objects = _plural(len(files), "object is archived", "objects are archived")
    more = "" if len(named) == len({each.file.granule_id for each in files}) else " For example:"
    return Advice(
        f"{objects}: restore first. The restore is a recovery of its own, and copies what S3 restored.{more}",
        f"orca-daemon restore {shlex.join(named)} --collection {shlex.quote(first.collection_id)}",
    )


def _missing(job: str, files: Sequence[CheckedFile]) -> Advice:
    objects = _plural(len(files), "object does not exist", "objects do not exist")
    left = [each.file for each in files if each.file.status is not RecoveryStatus.FAILED]
    if not left:
        place = f"s3://{files[0].file.archive_destination}/{files[0].file.key_path}"
        left_to_do = (
            "Nothing is left to do, unless it comes back: its file has failed."
            if len(files) == 1
            else "Nothing is left to do, unless they come back: their files have failed."
        )
        return Advice(
            f"{objects}. {left_to_do} What the catalog knows:",
            f"orca-daemon catalog show {shlex.quote(place)}",
        )
    file = left[0]
    names = ["--job", job, "--collection", file.collection_id, "--granule", file.granule_id]
    names += ["--filename", file.filename, "--status", "failed", "--error", "the object is gone"]
    each = "" if len(left) == 1 else ", for each of them"
    return Advice(
        f"{objects} and will not come. Record that the file failed{each}; then the recovery ends:",
        f"orca-daemon send file-status {shlex.join(names)}",
    )


def _restoring(_job: str, files: Sequence[CheckedFile]) -> Advice:
    objects = _plural(len(files), "object is being restored", "objects are being restored")
    return Advice(f"{objects}: wait. When S3 has restored them, the daemon copies them by itself.")


def _refused(_job: str, files: Sequence[CheckedFile]) -> Advice:
    return Advice(
        f"The daemon would reject the requests of {_plural(len(files), 'file')}: {_reason(files)}."
        " The settings copies.sources and copies.targets say which buckets it may use."
    )


def _unknown(_job: str, files: Sequence[CheckedFile]) -> Advice:
    objects = _plural(len(files), "object cannot be read", "objects cannot be read")
    return Advice(f"{objects}: {_reason(files)}. orca-daemon check says what is wrong:", "orca-daemon check")


def _without_destination(_job: str, files: Sequence[CheckedFile]) -> Advice:
    file = files[0].file
    objects = _plural(len(files), "object has", "objects have")
    return Advice(
        f"{objects} no destination: {_reason(files)}. Create it, or restore to a bucket that exists:",
        f"orca-daemon restore {shlex.quote(file.granule_id)} --collection {shlex.quote(file.collection_id)}"
        " --to BUCKET",
    )


def _plural(count: int, noun: str, plural: str = "") -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _reason(files: Sequence[CheckedFile]) -> str:
    return (files[0].reason or "no reason is known").rstrip(".")


_ADVICE: Mapping[FileState, Callable[[str, Sequence[CheckedFile]], Advice]] = {
    FileState.RESTORING: _restoring,
    FileState.ARCHIVED: _archived,
    FileState.MISSING: _missing,
    FileState.NO_DESTINATION: _without_destination,
    FileState.UNKNOWN: _unknown,
    FileState.REFUSED: _refused,
}
