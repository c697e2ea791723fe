"""Batch calls: the rules for their entries, and the answer with the result of each."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from orca_daemon.engine.memory import RequestRefusedError
from orca_daemon.engine.source import BATCH
from orca_daemon.local.sqs.errors import code

_ID = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")


def each(request: Mapping[str, Any], call: Callable[[Mapping[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Make the call for every entry; a refused entry does not affect the others."""
    done: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for entry in _entries(request):
        try:
            done.append({"Id": entry["Id"], **call(entry)})
        except RequestRefusedError as error:
            failed.append(
                {"Id": entry["Id"], "SenderFault": True, "Code": code(error), "Message": str(error)}
            )
    return {"Successful": done, "Failed": failed}


def _entries(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entries: list[Mapping[str, Any]] = request.get("Entries") or []
    if not entries:
        raise RequestRefusedError("EmptyBatchRequest", "There should be at least one entry in the request.")
    if len(entries) > BATCH:
        reason = f"Maximum number of entries per request are {BATCH}. You have sent {len(entries)}."
        raise RequestRefusedError("TooManyEntriesInBatchRequest", reason)
    ids = [str(entry.get("Id", "")) for entry in entries]
    for id_ in ids:
        if not _ID.match(id_):
            reason = "A batch entry id can only contain alphanumeric characters, hyphens and underscores."
            raise RequestRefusedError("InvalidBatchEntryId", f"{reason} It can be at most 80 letters long.")
    if len(set(ids)) < len(ids):
        raise RequestRefusedError("BatchEntryIdsNotDistinct", "Two or more batch entries have the same Id.")
    return entries
