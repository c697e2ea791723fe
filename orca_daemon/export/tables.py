"""Which tables may be exported, and which column shows when a row changed."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orca_daemon.settings import ExportSection as ExportSettings

_PART = r'("(?:[^"]|"")+"|[^".]+)'
_QUALIFIED = re.compile(rf"{_PART}(?:\.{_PART})?")


class TableNotAllowedError(Exception):
    """A table was named that may not be exported."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table of the source.  Without a schema, the search path decides."""

    name: str
    schema: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Relation":
        """From `table` or `schema.table`; a part that holds a dot is quoted as in SQL: `"a.b"."c""d"`."""
        if found := _QUALIFIED.fullmatch(text):
            parts = [_unquoted(part) for part in found.groups() if part]
            return cls(parts[-1], parts[0] if len(parts) > 1 else None)
        schema, dot, name = text.partition(".")
        return cls(name, schema) if dot else cls(text)

    def __str__(self) -> str:
        return ".".join(_quoted(part) for part in (self.schema, self.name) if part)


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def _quoted(part: str) -> str:
    doubled = part.replace('"', '""')
    return f'"{doubled}"' if "." in part or doubled != part else part


@dataclass(frozen=True, slots=True)
class ChangeTime:
    """Where a row's change time stands: in a column of its own, or in rows of another table.

    `keys` pairs columns of the exported table with those of the other one.  `orphans` restricts a column
    of its own to rows that have no row in the other table.
    """

    column: str
    other: Relation | None = None
    keys: tuple[tuple[str, str], ...] = ()
    orphans: bool = False

    @property
    def beside(self) -> bool:
        """Whether the column stands in the other table."""
        return self.other is not None and not self.orphans


@dataclass(frozen=True, slots=True)
class Table:
    """One table that may be exported.  A row is taken when any of the clocks says that it changed."""

    name: str
    relation: Relation
    change_times: tuple[ChangeTime, ...] = ()
    """None: it has no change time, and is exported whole or not at all."""


def _orca(name: str, *change_times: ChangeTime) -> Table:
    return Table(name, Relation(name, "orca"), change_times)


_JOB = tuple((name, name) for name in ("job_id", "collection_id", "granule_id"))
_FILES = Relation("recovery_file", "orca")
_REPORT = ChangeTime("end_time", Relation("reconcile_job", "orca"), (("job_id", "id"),))

ORCA: tuple[Table, ...] = (
    _orca("recovery_file", ChangeTime("last_update")),
    # A job has no change time of its own; one whose message listed no files has only its request.
    _orca(
        "recovery_job",
        ChangeTime("last_update", _FILES, _JOB),
        ChangeTime("request_time", _FILES, _JOB, orphans=True),
    ),
    _orca("granules", ChangeTime("last_update")),
    _orca("files", ChangeTime("ingest_time")),
    _orca("reconcile_job", ChangeTime("last_update")),
    _orca("reconcile_phantom_report", _REPORT),
    _orca("reconcile_orphan_report", _REPORT),
    _orca("reconcile_catalog_mismatch_report", _REPORT),
    _orca("providers"),
    _orca("collections"),
    _orca("recovery_status"),
    _orca("reconcile_status"),
    _orca("storage_class"),
)
"""The tables of contract 3 with their change times; lookup tables have none."""


def allowed(settings: ExportSettings) -> Mapping[str, Table]:
    """The tables that the settings allow, by name; theirs win over those of the preset."""
    preset = ORCA if settings.preset == "orca" else ()
    found = {table.name: table for table in preset}
    for name, entry in settings.tables.items():
        found[name] = Table(name, Relation.parse(entry.table or name), (ChangeTime(entry.column),))
    return found


def choose(
    names: Iterable[str], among: Mapping[str, Table]
) -> tuple[list[Table], TableNotAllowedError | None]:
    """The allowed tables of these names, each once and in order, and an error that names the others."""
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in among]
    refused = TableNotAllowedError(
        f"not to be exported: {', '.join(unknown)}; allowed by the settings: "
        f"{', '.join(sorted(among)) or 'no table'}"
    )
    return [among[name] for name in wanted if name in among], refused if unknown else None
