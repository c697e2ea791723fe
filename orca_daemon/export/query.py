"""Builds the SQL of an export; the driver quotes names and values."""

from collections.abc import Sequence

from psycopg2 import sql

from orca_daemon.export.columns import Codec, Column
from orca_daemon.export.framing import DELIMITER, QUOTE
from orca_daemon.export.snapshot import EPOCH, FIRST_NORMAL, Snapshot
from orca_daemon.export.tables import ChangeTime, Relation, Table
from orca_daemon.export.window import Window

_TRUE = sql.SQL("true")
_OR, _AND = sql.SQL(" OR "), sql.SQL(" AND ")


def copy(
    relation: Relation, columns: Sequence[Column], codecs: Sequence[Codec], where: sql.Composable
) -> sql.Composed:
    """COPY of the rows that match `where`, in the format that the codecs decode."""
    selected = [
        codec.select(sql.Identifier("t", column.name)) for column, codec in zip(columns, codecs, strict=True)
    ]
    return sql.SQL(
        "COPY (SELECT {} FROM {} AS t WHERE {}) TO STDOUT (FORMAT csv, DELIMITER {}, QUOTE {})"
    ).format(
        sql.SQL(", ").join(selected), quoted(relation), where, sql.Literal(DELIMITER), sql.Literal(QUOTE)
    )


def count(relation: Relation, where: sql.Composable) -> sql.Composed:
    """The number of rows that match `where`."""
    return sql.SQL("SELECT count(*) FROM {} AS t WHERE {}").format(quoted(relation), where)


def count_texts(relation: Relation, column: Column, where: sql.Composable) -> sql.Composed:
    """A query that fails if a value of the column is not UTF-8, also in a database in SQL_ASCII."""
    return sql.SQL(
        "SELECT count(pg_catalog.convert_from(pg_catalog.convert_to("
        "{}::pg_catalog.text, 'SQL_ASCII'), 'UTF8')) FROM {} AS t WHERE {}"
    ).format(sql.Identifier("t", column.name), quoted(relation), where)


def condition(table: Table, window: Window, now: Snapshot) -> sql.Composable:
    """The rows of the window: those where any change time of the table is in it."""
    if not table.change_times:
        return _TRUE
    return _OR.join(_within(change_time, window, now) for change_time in table.change_times)


def seen(table: Table, relation: Relation, window: Window, now: Snapshot, earliest: object) -> sql.Composed:
    """The transactions between `now.xmin` and `now.xmax` whose rows are visible.

    Only rows with a change time from `earliest` to the window's end are read: no later run looks further
    back.
    """
    parts = []
    for change_time in table.change_times:
        stamped = change_time.other if change_time.beside and change_time.other else relation
        parts.append(
            sql.SQL(
                "SELECT DISTINCT {writer} FROM {stamped} AS t WHERE {column} >= {earliest}"
                " AND {column} < {end} AND {writer} >= {low} AND {writer} < {high}"
            ).format(
                writer=_writer("t", now),
                stamped=quoted(stamped),
                column=sql.Identifier("t", change_time.column),
                earliest=sql.Literal(earliest),
                end=sql.Literal(window.end),
                low=sql.Literal(now.xmin),
                high=sql.Literal(now.xmax),
            )
        )
    return sql.SQL(" UNION ").join(parts)


def quoted(relation: Relation) -> sql.Composable:
    """The table's name, quoted."""
    return sql.Identifier(*(part for part in (relation.schema, relation.name) if part))


def _within(change_time: ChangeTime, window: Window, now: Snapshot) -> sql.Composable:
    if change_time.other is None:
        return sql.SQL("({})").format(_stamped("t", change_time.column, window, now))
    if change_time.orphans:
        return sql.SQL("({} AND NOT EXISTS (SELECT FROM {} AS o WHERE {}))").format(
            _stamped("t", change_time.column, window, now),
            quoted(change_time.other),
            _AND.join(
                sql.SQL("{} = {}").format(sql.Identifier("o", other), sql.Identifier("t", own))
                for own, other in change_time.keys
            ),
        )
    # IN in place of EXISTS, because Postgres uses a hash for IN even as an operand of OR.
    return sql.SQL("(({}) IN (SELECT {} FROM {} AS o WHERE {}))").format(
        sql.SQL(", ").join(sql.Identifier("t", own) for own, _ in change_time.keys),
        sql.SQL(", ").join(sql.Identifier("o", other) for _, other in change_time.keys),
        quoted(change_time.other),
        _stamped("o", change_time.column, window, now),
    )


def _stamped(alias: str, column: str, window: Window, now: Snapshot) -> sql.Composable:
    """A condition on the column that begins with one range, so that an index can be used."""
    stamp = sql.Identifier(alias, column)
    before = sql.SQL("{} < {}").format(stamp, sql.Literal(window.end))
    if window.full:
        # Rows with NULL or infinity are in no window, so only an export of the whole table has them.
        return sql.SQL("({before} OR {stamp} IS NULL OR {stamp} = 'infinity')").format(
            before=before, stamp=stamp
        )
    if window.start is None:
        return before
    in_time = sql.SQL("{} >= {}").format(stamp, sql.Literal(window.start))
    if window.unseen_by is None:
        return _AND.join([before, in_time])
    late = sql.SQL("({} < {} AND {})").format(
        stamp, sql.Literal(window.late_until), _unseen(alias, window.unseen_by, now)
    )
    return sql.SQL("{} AND {} >= {} AND ({} OR {})").format(
        before, stamp, sql.Literal(min(window.start, window.late_from or window.start)), in_time, late
    )


def _unseen(alias: str, last: Snapshot, now: Snapshot) -> sql.Composable:
    """`not last.could_see(writer)`, in SQL."""
    if not last.comparable(now):
        return _TRUE
    writer, first = _writer(alias, now), sql.Literal(last.xmin)
    if not last.seen:
        return sql.SQL("{} >= {}").format(writer, first)
    # CASE, because Postgres may evaluate operands of AND in any order, and get_bit fails past the last bit.
    return sql.SQL(
        "({writer} >= {first} AND CASE WHEN {writer} < {end}"
        " THEN pg_catalog.get_bit({seen}, ({writer} - {first})::int) = 0 ELSE true END)"
    ).format(
        writer=writer,
        first=first,
        end=sql.Literal(last.xmin + 8 * len(last.seen)),
        seen=sql.Literal(last.seen),
    )


def _writer(alias: str, now: Snapshot) -> sql.Composable:
    """`full_number(xmin)`, in SQL."""
    low = sql.SQL("{}::text::bigint").format(sql.Identifier(alias, "xmin"))
    top = sql.Literal(now.xmax - 1)
    return sql.SQL(
        "(CASE WHEN {low} < {first} THEN {low} ELSE {top} - (({top} - {low}) & {mask}) END)"
    ).format(low=low, top=top, first=sql.Literal(FIRST_NORMAL), mask=sql.Literal(EPOCH - 1))
