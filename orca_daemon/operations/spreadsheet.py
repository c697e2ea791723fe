"""Values for the cells of CSV that a spreadsheet opens: none of them is taken for a formula."""

from datetime import datetime

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""With one of these at its beginning, a spreadsheet takes a text for a formula (OWASP: CSV injection)."""


def cell(value: object) -> object:
    """The value, or a text in its place: a time as ISO 8601, a formula behind an apostrophe."""
    if isinstance(value, datetime):
        return value.isoformat()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value
