"""What an error of Postgres means, as a sentence for operators, by SQLSTATE (PostgreSQL: appendix A)."""

from collections.abc import Mapping

from psycopg2 import errorcodes

_CODES: Mapping[str, str] = {
    "22001": "a text is longer than its column takes",
    "22003": "a number is outside the range of its type",
    "22007": "a text is not a date or time that Postgres can read",
    "22008": "a date or time is outside the range that Postgres can hold",
    # A database with the encoding SQL_ASCII reports this about its own rows.
    "22021": "a text is not UTF-8",
    "2200H": "a sequence has no numbers left",
    "22P02": "a text is not a value of the type that is needed",
    "22P05": "a text has a character that the encoding of the database does not have",
    "23502": "a column that needs a value has none",
    "23503": "a row refers to a row that does not exist, or is referred to",
    "23505": "another row has the same key",
    "23514": "a row breaks a check of its table",
    "25006": "the server takes no writes",
    "28P01": "the server refused the password",
    "40001": "the transaction conflicts with another one",
    "40003": "the server does not say whether the transaction was committed",
    "40P01": "the transaction and another one waited for each other",
    "42501": "a privilege is missing",
    "42703": "a column does not exist",
    "42P01": "a table does not exist",
    "53100": "the disk of the server is full",
    "53200": "the server is out of memory",
    "53300": "the server has no free connection",
    "55P03": "another session holds a lock that is needed",
    "57014": "the server cancelled a statement",
    "57P01": "an administrator ended the session",
    "57P02": "another process of the server crashed, and it ended the session",
    "57P03": "the server takes no connections at present",
}
_CLASSES: Mapping[str, str] = {
    "08": "the connection to the server failed",
    "0A": "the server does not support what a statement asks for",
    "21": "a statement found more rows than it may",
    "22": "a value cannot be stored or converted",
    "23": "a row breaks a constraint",
    "25": "the transaction is in a state that does not allow this",
    "26": "a prepared statement is missing in this session",
    "28": "the server refused the login",
    "3D": "the database does not exist",
    "3F": "the schema does not exist",
    "40": "the server rolled the transaction back",
    "42": "a statement does not fit the schema or the privileges",
    "44": "a row breaks the condition of a view",
    "53": "the server lacks resources",
    "54": "a limit of the server is exceeded",
    "55": "an object of the database is not in the state that is needed",
    "57": "the server was interrupted",
    "58": "the system that the server runs on failed",
    "72": "the transaction's snapshot is too old",
    "F0": "a configuration file of the server is wrong",
    "HV": "a foreign table failed",
    "P0": "a function or a trigger of the database failed",
    "XX": "the server reports damage, or an error of its own",
}
_OTHERS = "the server refused the work"


def sentence(sqlstate: str, *, place: str = "", message: str = "") -> str:
    """One sentence about an error, with its code and Postgres's name for it in brackets at the end.

    Args:
        sqlstate: the five characters of its code.
        place: the constraint, column or table that it is about, if that is known.
        message: the server's own words, if they quote no values.
    """
    meaning = _CODES.get(sqlstate) or _CLASSES.get(sqlstate[:2], _OTHERS)
    details = [place, f"SQLSTATE {sqlstate}", _name(sqlstate)]
    words = f": {message}" if message else ""
    return f"{meaning}{words} ({', '.join(part for part in details if part)})"


def _name(sqlstate: str) -> str:
    try:
        return str(errorcodes.lookup(sqlstate)).lower()
    except KeyError:
        return ""
