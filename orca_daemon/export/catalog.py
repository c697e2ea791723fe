"""Reads a table's schema, columns and types from the catalog of the source."""

from dataclasses import dataclass

from sqlalchemy import Connection

from orca_daemon.db.sql import load
from orca_daemon.export.columns import Column
from orca_daemon.export.tables import Relation, Table

STATEMENTS = load(__package__, "catalog.sql")


class RelationMissingError(Exception):
    """The table or column does not exist in the source; the text names the existing ones."""


class HiddenError(RelationMissingError):
    """Row-level security hides rows of the table from us: the file would be incomplete without saying so."""


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table of the source, as its catalog describes it."""

    relation: Relation
    """With its schema."""
    columns: tuple[Column, ...]
    has_writers: bool
    """Whether its rows have `xmin`, the transaction that wrote them; rows of views do not."""

    @property
    def signature(self) -> tuple[tuple[str, str], ...]:
        """Name and declared type of each column."""
        return tuple((column.name, column.declared) for column in self.columns)


def find(connection: Connection, relation: Relation) -> SourceTable:
    """Look up a table.

    Raises:
        RelationMissingError: it does not exist.
        HiddenError: row-level security hides some of its rows.
    """
    names = {"name": relation.name, "schema": relation.schema}
    row = connection.execute(STATEMENTS["relation"], names).first()
    if row is None:
        others = connection.scalars(STATEMENTS["relations"], {"schema": relation.schema}).all()
        where = f"schema {relation.schema}" if relation.schema else "the search path"
        raise RelationMissingError(f"there is no table {relation}; {where} has {', '.join(others) or 'none'}")
    if row.hidden:
        raise HiddenError(
            f"row-level security hides rows of {relation} from {row.role}: give that role BYPASSRLS, or "
            "export as a role that sees all of them"
        )
    columns = connection.execute(STATEMENTS["columns"], {"oid": row.oid})
    return SourceTable(
        Relation(row.relname, row.nspname),
        tuple(
            Column(
                name=column.attname,
                declared=column.declared,
                type=column.type,
                element=column.element,
                modifier=column.modifier,
                dimensions=max(1, column.dimensions),
            )
            for column in columns
        ),
        row.has_writers,
    )


_TIMES = ("timestamptz", "timestamp", "date")


def check_change_times(connection: Connection, table: Table, exported: SourceTable) -> bool:
    """Check that the columns of change times exist; return whether all tables that have them have writers.

    Raises:
        RelationMissingError: a column does not exist, or is not a date or time.
    """
    all_have_writers = exported.has_writers
    for change_time in table.change_times:
        stamped = exported
        if change_time.beside and change_time.other:
            stamped = find(connection, change_time.other)
            all_have_writers = all_have_writers and stamped.has_writers
        column = next((column for column in stamped.columns if column.name == change_time.column), None)
        if column is None:
            names = ", ".join(column.name for column in stamped.columns)
            raise RelationMissingError(
                f"table {stamped.relation} has no column {change_time.column}; it has {names}"
            )
        if column.type not in _TIMES:
            raise RelationMissingError(
                f"column {change_time.column} of {stamped.relation} is {column.declared}, "
                "which is not a date or time"
            )
    return all_have_writers
