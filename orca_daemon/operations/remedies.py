"""What helps if none of a job's open files can be copied: a sentence, and the command that does it."""

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from orca_daemon.operations.recovery import CheckedFile, FileState, OpenFiles
from orca_daemon.wire.status import RecoveryStatus


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do about the files of one state."""

    text: str
    command: str = ""
    """For one of the files, as a shell takes it; empty if there is none."""


def remedies(open_files: OpenFiles) -> Iterator[Remedy]:
    """One for each state, in the order of the files."""
    seen: set[FileState] = set()
    for checked in open_files.files:
        if checked.file_state in _REMEDIES and checked.file_state not in seen:
            seen.add(checked.file_state)
            yield _REMEDIES[checked.file_state](open_files.job_id, checked)


def _archived(_job: str, checked: CheckedFile) -> Remedy:
    file = checked.file
    names = (file.granule_id, "--collection", file.collection_id)
    return Remedy("restore what is archived, as a job of its own", _command("restore", *names))


def _missing(job: str, checked: CheckedFile) -> Remedy:
    file = checked.file
    if file.status is RecoveryStatus.FAILED:
        return Remedy("an object that does not exist will not come; its file has failed, so the job can end")
    names = ("--job", job, "--collection", file.collection_id, "--granule", file.granule_id)
    status = ("--filename", file.filename, "--status", "failed", "--error", "the object is gone")
    return Remedy(
        "an object that does not exist will not come: record that its file failed, and the job can end",
        _command("send", "file-status", *names, *status),
    )


def _without_destination(_job: str, checked: CheckedFile) -> Remedy:
    bucket = checked.file.restore_destination
    return Remedy(f"create bucket {bucket}, or restore the granule to another one", _restore_to(checked))


def _restore_to(checked: CheckedFile) -> str:
    file = checked.file
    return f"{_command('restore', file.granule_id, '--collection', file.collection_id)} --to BUCKET"


def _command(*words: str) -> str:
    return shlex.join(("orca-daemon", *words))


_REMEDIES: Mapping[FileState, Callable[[str, CheckedFile], Remedy]] = {
    FileState.ARCHIVED: _archived,
    FileState.MISSING: _missing,
    FileState.NO_DESTINATION: _without_destination,
    FileState.RESTORING: lambda job, _: Remedy(
        "wait until S3 has restored the objects", _command("job", job, "--watch")
    ),
    FileState.UNKNOWN: lambda *_: Remedy("see what the daemon may read", _command("check")),
    FileState.REFUSED: lambda *_: Remedy(
        "see which buckets may be copied: copies.sources, copies.targets",
        _command("run", "--print-config"),
    ),
}
