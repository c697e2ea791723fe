"""The text of our cookies: for this host only, not for scripts, not sent by other sites' forms."""

from orca_daemon.console.security.sessions import COOKIE, VISIT
from orca_daemon.console.security.visitors import Visitor


def session_cookie(value: str, seconds: float, *, secure: bool) -> str:
    """The cookie of a session; an empty value removes it."""
    age = round(seconds) if value else 0
    return _cookie(COOKIE, value, secure=secure) + f"; Max-Age={age}"


def visit_cookie(visitor: Visitor) -> str:
    """The cookie of a visit, which ends with the browser."""
    return _cookie(VISIT, visitor.nonce, secure=visitor.peer.secure)


def _cookie(name: str, value: str, *, secure: bool) -> str:
    # Lax, because a link that a colleague sends must open; forms of other sites do not carry it.
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"
