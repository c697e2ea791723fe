"""What the source says about a table: where it is, which columns it has, of which types."""

from dataclasses import dataclass

from sqlalchemy import Connection

from orca_daemon.db.sql import load
from orca_daemon.export.columns import Column
from orca_daemon.export.tables import Relation, Table

STATEMENTS = load(__package__, "catalog.sql")


class RelationMissingError(Exception):
    """The source has no such table or column; the text names those that it has."""


class HiddenError(RelationMissingError):
    """Row-level security keeps rows of the table from us: the file would not say what it leaves out."""


@dataclass(frozen=True, slots=True)
class Found:
    """A table as it stands in the source."""

    relation: Relation
    """With its schema."""
    columns: tuple[Column, ...]
    has_writers: bool
    """Whether rows show which transaction wrote them; those of views do not."""

    @property
    def signature(self) -> tuple[tuple[str, str], ...]:
        """Name and declared type of each column."""
        return tuple((column.name, column.declared) for column in self.columns)


def find(connection: Connection, relation: Relation) -> Found:
    """Look a table up.

    Raises:
        RelationMissingError: there is none.
        HiddenError: not all of its rows are to be seen.
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
    return Found(
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


def check_change_times(connection: Connection, table: Table, found: Found) -> bool:
    """Make sure that the change times exist; whether rows of all of them show who wrote them.

    Raises:
        RelationMissingError: a column does not exist or is no time.
    """
    all_have_writers = found.has_writers
    for change_time in table.change_times:
        place = found
        if change_time.beside and change_time.other:
            place = find(connection, change_time.other)
            all_have_writers = all_have_writers and place.has_writers
        column = next((column for column in place.columns if column.name == change_time.column), None)
        if column is None:
            names = ", ".join(column.name for column in place.columns)
            raise RelationMissingError(
                f"table {place.relation} has no column {change_time.column}; it has {names}"
            )
        if column.type not in _TIMES:
            raise RelationMissingError(
                f"column {change_time.column} of {place.relation} is {column.declared}, which is no time"
            )
    return all_have_writers
