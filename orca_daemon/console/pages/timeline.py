"""What happened to a recovery, in order, and what is still to come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orca_daemon.console.pages.recoveries import Job
from orca_daemon.console.show import link, plural


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of the timeline."""

    text: str
    at: datetime | None = None
    kind: str = ""
    link: str = ""


def timeline(job: Job, restores: Any, actions: Sequence[Any]) -> list[Event]:
    """The entries; `restores` is a row of `restores`, `actions` are rows of `actions`."""
    events = [
        Event(f"Requested: {plural(job.granules, 'granule')}, {plural(job.files, 'file')}", job.request_time)
    ]
    if restores.asked:
        asked = f"S3 was asked to restore {plural(restores.asked, 'file')} (tier {restores.tiers})"
        events.append(Event(asked, restores.requested_at))
    if job.first_failed:
        events.append(Event("First file failed", job.first_failed, "bad"))
    if job.last_failed and job.failed > 1:
        events.append(Event(f"Last of {plural(job.failed, 'file')} failed", job.last_failed, "bad"))
    if job.first_copied:
        events.append(Event("First file copied", job.first_copied))
    if job.last_copied and job.success > 1:
        events.append(Event(f"Last of {plural(job.success, 'file')} copied", job.last_copied))
    events += [_recovered(action) for action in actions]
    events.sort(key=lambda event: event.at or job.request_time)
    return [*events, *_to_come(job, restores)]


def _recovered(action: Any) -> Event:
    how = f"{plural(action.done, 'copy', 'copies')} requested"
    if action.error_message:
        how += f", then it failed: {action.error_message}"
    elif action.finished_at is None:
        how += " so far"
    kind = "bad" if action.error_message else ""
    text = f"{action.who} recovered {_chosen(action.filter)}: {how}"
    return Event(text, action.at, kind, link("/actions/action", {"id": str(action.id)}))


def _chosen(fields: Mapping[str, Any]) -> str:
    if fields.get("file"):
        return f"file {fields['file']}"
    if fields.get("granule"):
        return f"granule {fields['granule']}"
    return "its open and failed files" if fields.get("failed") else "its open files"


def _to_come(job: Job, restores: Any) -> list[Event]:
    """What is left; whether S3 has restored an object is not known here until its copy is requested."""
    events: list[Event] = []
    not_asked = min(restores.not_asked, job.pending)
    if not_asked:
        waiting = f"{plural(not_asked, 'file')} pending: S3 has not been asked for the restore yet"
        events.append(Event(waiting, None, "wait"))
    if left := job.pending - not_asked:
        waiting = (
            f"{plural(left, 'file')} pending: requested; S3 restores the object, or its copy waits in a queue"
        )
        events.append(Event(waiting, None, "wait"))
    if job.staged:
        events.append(
            Event(f"{plural(job.staged, 'file')} staged: readable, the copy was requested", None, "wait")
        )
    return events
