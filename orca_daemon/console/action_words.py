"""A recorded action in words: what it was about, what came of it, and where one sees what followed.

Commands and the console record the same things under different keys; here they have the words of the forms.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from orca_daemon.console.show import link

SPANS: Mapping[str, str] = {"1d": "24 hours", "7d": "7 days", "30d": "30 days"}
_FIELDS: Mapping[str, str] = {
    "job": "Recovery", "job_id": "Recovery", "granule": "Granule", "file": "File", "failed": "Files",
    "queue": "Queue", "queues": "Queue", "why": "Why", "reason": "Reason contains", "letter_id": "Message",
    "ids": "Message", "error": "Error", "group": "Group", "rate": "Messages per second", "most": "At most",
    "since": "Since", "until": "Until", "manifest": "Manifest", "tables": "Tables",
}  # fmt: skip
_RESULTS: Mapping[str, str] = {
    "posted": "copies requested", "not_ready": "objects that cannot be copied now", "failed": "not requested",
    "moved": "sent back", "passed_over": "left: they did not match", "requested": "asked for",
}  # fmt: skip
_HIDDEN = frozenset({"reason_id", "after", "error"})
"""Keys of a result that say nothing to a reader, or what the page says anyway."""
_MEANS: Mapping[str, str] = {
    "recover": "Done means that the copies were requested. The recovery shows whether they are copied.",
    "recover failures": "Done means that the copies were requested. What fails again is a failure again.",
    "redrive": "Done means that the messages are on their queue again. Some may be dead-lettered again.",
    "delete": "Done means that the letters are deleted for good.",
    "pause": "Every daemon stops to receive within some seconds; what was received is finished.",
    "resume": "Every daemon receives again within some seconds, unless its settings or a signal pause it.",
    "compare": "Done means that a comparison was asked for. A daemon compares; the list shows how far it is.",
    "export": "Done means that an export was asked for. A daemon exports; then the list has a new file.",
}


def label(name: str) -> str:
    """The words for a field of a form."""
    return _FIELDS.get(name, name.replace("_", " "))


def chosen(what: str, fields: Any) -> list[tuple[str, str]]:
    """What an action was about, by name."""
    if not isinstance(fields, Mapping):
        return _pairs([("value", fields)])
    labels = dict(_FIELDS)
    if "reason_id" in fields:
        labels["reason"] = "Reason"
    if what.startswith("recover"):
        labels["rate"] = "Files per second"
    given = {name: each for name, each in fields.items() if name != "reason_id"}
    if not fields.get("reason") and fields.get("reason_id"):
        labels["reason_id"], given["reason_id"] = "Reason", fields["reason_id"]
    if isinstance(failed := given.get("failed"), bool):
        given["failed"] = f"{'with' if failed else 'without'} those that failed"
    if given.get("since") in SPANS:
        labels["since"], given["since"] = "In the last", SPANS[given["since"]]
    order = list(labels)
    names = sorted(given, key=lambda name: order.index(name) if name in labels else len(order))
    return _pairs((labels.get(name, name.replace("_", " ")), given[name]) for name in names)


def result(what: str, found: Any) -> list[tuple[str, str]]:
    """What came of it, by name."""
    if not isinstance(found, Mapping):
        return _pairs([("value", found)])
    labels = dict(_RESULTS)
    if not what.startswith("recover"):
        labels["failed"] = "failed"
    left = ((name, each) for name, each in found.items() if name not in _HIDDEN)
    return _pairs((labels.get(name, name.replace("_", " ")), each) for name, each in left)


def means(what: str) -> str:
    """What it means that an action of this kind is done."""
    return _MEANS.get({"recover_reason": "recover failures", "redrive_reason": "redrive"}.get(what, what), "")


def places(what: str, fields: Any) -> list[tuple[str, str]]:
    """Where one sees what followed: texts and addresses."""
    if not isinstance(fields, Mapping):
        return []
    given = {name: each for name, each in fields.items() if isinstance(each, str) and each}
    found: list[tuple[str, str]] = []
    if job := given.get("job") or given.get("job_id"):
        found.append(("The recovery", link("/recoveries/job", {"id": job})))
    if "reason_id" in fields:
        found.append(("Failures", "/failures"))
    if queue := given.get("queue"):
        letters = what in {"redrive", "redrive_reason", "delete", "export dead letters"}
        if letters:
            found.append((f"Dead letters of {queue}", link("/dead-letters", {"queue": queue})))
        found.append(("The queues", "/"))
    elif "queues" in fields:
        found.append(("The queues", "/"))
    if "manifest" in given:
        found.append(("Comparisons", "/reconciliation"))
    if "tables" in fields:
        names = [name.strip() for name in given.get("tables", "").split(",") if name.strip()]
        found += [(f"Exports of {name}", link("/exports/table", {"name": name})) for name in names[:10]]
        found += [] if names else [("Exports", "/exports")]
    return found


def _pairs(given: Iterable[tuple[str, Any]]) -> list[tuple[str, str]]:
    texts = ((name, _text(each)) for name, each in given)
    return [(name, text) for name, text in texts if text]


def _text(value: Any) -> str:
    """A value of JSON in words, without brackets."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:g}"
    return "" if value is None else str(value)
