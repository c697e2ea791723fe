"""Messages from JSON objects: missing fields get their defaults, wrong ones are reported."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from orca_daemon.engine.errors import Reject
from orca_daemon.queues.restore.rules import RestoreRules
from orca_daemon.settings.buckets import CopyRules
from orca_daemon.wire import catalog, copy, inventory, restore, status
from orca_daemon.wire.catalog import CatalogFile, CatalogGranule, Collection, Provider
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.inventory import ExportRequest, InventoryPointer, StoredListing
from orca_daemon.wire.outgoing import INTERNAL_REPORT_GROUP, Outgoing, digest, dump
from orca_daemon.wire.status import Grouping, NewFile, NewJob, RecoveryStatus, RequestMethod, UpdateFile
from orca_daemon.wire.times import format_time
from orca_daemon.wire.wire_model import MalformedError, WireModel, json_object, read

Document = dict[str, Any]
Template = Callable[[Document], Outgoing]
"""Makes a message from a JSON object; raises `MalformedError` if the daemon would reject the message."""

_FINAL = (RecoveryStatus.FAILED, RecoveryStatus.SUCCESS)


def new_job(now: datetime, grouping: Grouping) -> Template:
    """Makes new jobs; times, statuses, chunk sizes and names of files may be missing."""

    def template(given: Document) -> Outgoing:
        files = given.get("files")
        if isinstance(files, list):
            given = {**given, "files": [_new_file(file, now) for file in files]}
        document = _filled(given, NewJob, {"requestTime": format_time(now), "files": []})
        return _status(document, RequestMethod.NEW_JOB, grouping)

    return template


def file_status(now: datetime, grouping: Grouping) -> Template:
    """Makes updates; `lastUpdate` may be missing, and so may the `completionTime` of a final status."""

    def template(given: Document) -> Outgoing:
        final = {"completionTime": format_time(now)} if given.get("statusId") in _FINAL else {}
        document = _filled(given, UpdateFile, {"lastUpdate": format_time(now), **final})
        if document.get("statusId") == RecoveryStatus.FAILED and not document.get("errorMessage"):
            raise MalformedError("not a valid update_file: errorMessage is missing, and a failure needs one")
        return _status(document, RequestMethod.UPDATE_FILE, grouping)

    return template


def copy_request(rules: CopyRules) -> Template:
    """Makes copy requests that these rules allow; filename, target key and chunk size may be missing."""

    def template(given: Document) -> Outgoing:
        defaults = {
            "filename": _base_name(given.get("sourceKey")),
            "s3MultipartChunksizeMb": None,
            "targetKey": given.get("sourceKey"),
        }
        message = Outgoing(body=dump(_filled(given, CopyRequest, defaults)))
        request = copy.decode(message.body)
        if refusal := rules.refusal(request.source_bucket, request.restore_destination):
            raise MalformedError(f"the daemon would reject it: {refusal}")
        return message

    return template


def restore_request(rules: RestoreRules, *, fifo: bool) -> Template:
    """Makes restore requests that these rules allow, in any form that the queue accepts."""

    def template(given: Document) -> Outgoing:
        message = restore.outgoing(dump(given), fifo=fifo)
        try:
            rules.check(restore.decode(message.body))
        except Reject as refusal:
            raise MalformedError(f"the daemon would reject it: {refusal}") from None
        return message

    return template


def inventory_pointer(given: Document) -> Outgoing:
    """The request to compare an inventory, or a listing that ORCA stored."""
    body = dump(given)
    if not isinstance(inventory.decode(body), InventoryPointer | StoredListing):
        raise MalformedError("not a valid inventory pointer: it is a message of another kind")
    return _report(body)


def export_request(given: Document) -> Outgoing:
    """The request for an export."""
    read(ExportRequest, given, "export request")
    return _report(dump(given))


def catalog_record(now: datetime) -> Template:
    """Makes catalog records; times, names that ids and keys have, and what may be null may be missing."""
    time = format_time(now)

    def template(given: Document) -> Outgoing:
        document = dict(given)
        parts: dict[str, tuple[type[WireModel], Callable[[Document], Document]]] = {
            "provider": (Provider, lambda _: {"name": None}),
            "collection": (Collection, _names_of_collection),
            "granule": (CatalogGranule, lambda granule: _parts_of_granule(granule, time)),
        }
        for name, (model, defaults) in parts.items():
            if isinstance(part := given.get(name), dict):
                document[name] = _filled(part, model, defaults(part))
        if isinstance(granule := document.get("granule"), dict) and isinstance(granule.get("files"), list):
            files = [_archived_file(file, time) for file in granule["files"]]
            document["granule"] = {**granule, "files": files}
        message = catalog.outgoing(document)
        catalog.decode(message.body)
        return message

    return template


def fill(lines: Iterable[tuple[int, str]], template: Template) -> Iterator[Outgoing]:
    """A message for each of these numbered lines of JSON.  Raises `MalformedError` with the line's number."""
    for number, line in lines:
        try:
            yield template(json_object(line))
        except MalformedError as error:
            raise MalformedError(f"line {number}: {error}") from None


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file, as `numbered` returns them."""
    with path.open(encoding="utf-8") as file:
        yield from numbered(file)


def numbered(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, numbered from 1."""
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def _new_file(given: object, now: datetime) -> object:
    if not isinstance(given, dict):
        return given
    time = format_time(now)
    defaults = {
        "filename": _base_name(given.get("keyPath")),
        "s3MultipartChunksizeMb": None,
        "statusId": RecoveryStatus.PENDING.value,
        "requestTime": time,
        "lastUpdate": time,
    }
    return _filled(given, NewFile, defaults)


def _names_of_collection(given: Document) -> Document:
    """Short name and version of `shortname___version`."""
    shortname, separator, version = str(given.get("collectionId")).rpartition("___")
    return {"shortname": shortname, "version": version} if separator else {}


def _parts_of_granule(given: Document, time: str) -> Document:
    ingested = given.get("ingestTime", time)
    return {"cumulusCreateTime": ingested, "ingestTime": time, "lastUpdate": ingested, "files": []}


def _archived_file(given: object, time: str) -> object:
    if not isinstance(given, dict):
        return given
    defaults = {"name": _base_name(given.get("keyPath")), "hash": None, "hashType": None, "ingestTime": time}
    return _filled(given, CatalogFile, defaults)


def _filled(given: Document, model: type[WireModel], defaults: Mapping[str, Any]) -> Document:
    """The object with its missing fields, in ORCA's order; a complete one stays as it is, to the byte."""
    if defaults.keys() <= given.keys():
        return given
    complete = {**defaults, **given}
    order = [field.alias or name for name, field in model.model_fields.items()]
    return {**{key: complete[key] for key in order if key in complete}, **complete}


def _base_name(key: object) -> object:
    """The name without its directory; a value that is not a string is left for validation to report."""
    return key.rpartition("/")[2] if isinstance(key, str) else key


def _status(document: Document, method: RequestMethod, grouping: Grouping) -> Outgoing:
    # Decoded first, because grouping by granule needs the granule's id.
    status.decode(dump(document), {status.ATTRIBUTE: method.value})
    return status.outgoing(document, method, grouping=grouping)


def _report(body: str) -> Outgoing:
    return Outgoing(body=body, group=INTERNAL_REPORT_GROUP, deduplication_id=digest(body))
