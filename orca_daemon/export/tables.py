"""The tables that may be exported, and their columns with the time of a row's last change."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orca_daemon.settings import ExportSection as ExportSettings

_PART = r'("(?:[^"]|"")+"|[^".]+)'
_QUALIFIED = re.compile(rf"{_PART}(?:\.{_PART})?")


class TableNotAllowedError(Exception):
    """The request names a table that may not be exported."""


@dataclass(frozen=True, slots=True)
class Relation:
    """The name of a table of the source.  Without a schema, the search path resolves it."""

    name: str
    schema: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Relation":
        """From `table` or `schema.table`; a part with a dot is quoted as in SQL: `"a.b"."c""d"`."""
        if match := _QUALIFIED.fullmatch(text):
            parts = [_unquoted(part) for part in match.groups() if part]
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
    """The column with a row's change time: in the exported table, or in rows of another table."""

    column: str
    other: Relation | None = None
    keys: tuple[tuple[str, str], ...] = ()
    """Columns of the exported table, each with the column of the other table that it equals."""
    orphans: bool = False
    """Whether `column` is in the exported table, and only for rows without a row in the other table."""

    @property
    def beside(self) -> bool:
        """Whether the column is in the other table."""
        return self.other is not None and not self.orphans


@dataclass(frozen=True, slots=True)
class Table:
    """One table that may be exported.  A row has changed if any of its change times is in the window."""

    name: str
    relation: Relation
    change_times: tuple[ChangeTime, ...] = ()
    """If empty, the table can only be exported as a whole."""


def _orca(name: str, *change_times: ChangeTime) -> Table:
    return Table(name, Relation(name, "orca"), change_times)


_JOB = tuple((name, name) for name in ("job_id", "collection_id", "granule_id"))
_FILES = Relation("recovery_file", "orca")
_REPORT = ChangeTime("end_time", Relation("reconcile_job", "orca"), (("job_id", "id"),))

ORCA: tuple[Table, ...] = (
    _orca("recovery_file", ChangeTime("last_update")),
    # A job has no change time of its own: it has those of its files.  A job without files has its request
    # time.
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
"""The tables of contract 3 with their change times; lookup tables have no change times."""


def allowed(settings: ExportSettings) -> Mapping[str, Table]:
    """The tables that the settings allow, by name; tables in the settings replace those of the preset."""
    preset = ORCA if settings.preset == "orca" else ()
    tables = {table.name: table for table in preset}
    for name, entry in settings.tables.items():
        tables[name] = Table(name, Relation.parse(entry.table or name), (ChangeTime(entry.column),))
    return tables


def choose(
    names: Iterable[str], among: Mapping[str, Table]
) -> tuple[list[Table], TableNotAllowedError | None]:
    """The allowed tables with these names, each once and in order, and an error that names the other ones."""
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in among]
    refused = TableNotAllowedError(
        f"not to be exported: {', '.join(unknown)}; allowed by the settings: "
        f"{', '.join(sorted(among)) or 'no table'}"
    )
    return [among[name] for name in wanted if name in among], refused if unknown else None
