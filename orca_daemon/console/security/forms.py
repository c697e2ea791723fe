"""Forms: only our own pages may send them, and one that comes too late is kept and not carried out."""

import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers

from orca_daemon.console.security.visitors import Visitor

CSRF = "csrf_token"
_TYPE = "application/x-www-form-urlencoded"
_FIELDS = 1000
Fields = Sequence[tuple[str, str]]


def fields_of(headers: Headers, body: bytes) -> Fields | None:
    """The fields of a form; None if the body is not a form, or has NUL, which no text in Postgres has."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        return None
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict")
    except ValueError:
        return None
    return None if any("\0" in text for field in fields for text in field) else fields


def is_foreign(headers: Headers) -> bool:
    """Whether a browser says that another site's page sent this (Fetch Metadata, RFC 6454)."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def is_ours(fields: Fields, visitor: Visitor) -> bool:
    """Whether the form has the visitor's token, exactly once."""
    given = [value for name, value in fields if name == CSRF]
    return len(given) == 1 and hmac.compare_digest(given[0].encode(), visitor.csrf_token.encode())


def kept(fields: Fields) -> Fields:
    """What is worth keeping of a form whose session has ended."""
    return [(name, value) for name, value in fields if name != CSRF]


def local(path: str) -> str:
    """The path to go to after a log-in: one of this console, whatever the link said."""
    parts = urlsplit(path)
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and not (parts.scheme or parts.netloc)
    return path if safe and path.isprintable() and "\\" not in path else "/"


def values(fields: Fields) -> Mapping[str, str]:
    """The fields as a mapping; of a name that comes twice, the last counts."""
    return dict(fields)
