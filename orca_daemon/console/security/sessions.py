"""Session cookies, signed with a key of the visitor's token: a new token ends all sessions of the old one."""

import base64
import hmac
import re
import secrets
from dataclasses import dataclass

from orca_daemon.console.security.tokens import Tokens

COOKIE = "orca_daemon_session"
VISIT = "orca_daemon_visit"
"""A cookie for visitors without a session: their forms need a token against forged requests, too."""
_COOKIE = re.compile(r"v1\.([A-Za-z0-9_-]{1,100})\.(\d{1,12})\.([0-9a-f]{32})\.([0-9a-f]{64})")
_REVOKED = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """Whose it is, until when (Unix seconds), and a random value that nobody else knows."""

    name: str
    expires: int
    nonce: str


class Sessions:
    """Makes and reads the cookies of sessions."""

    def __init__(self, tokens: Tokens, seconds: float) -> None:
        self._tokens, self._seconds = tokens, seconds
        self._revoked: dict[str, int] = {}
        """Nonces of sessions that were ended by a log-out, with their time of expiry."""

    def begin(self, name: str, now: float) -> str:
        """The cookie of a new session.  Raises KeyError for a name without a token."""
        session = Session(name, int(now + self._seconds), secrets.token_hex(16))
        key = self._tokens.key(name)
        if key is None:
            raise KeyError(name)
        return f"{_signed(session)}.{_mac(key, _signed(session))}"

    def read(self, cookie: str, now: float) -> Session | None:
        """The session; None if the cookie is none of ours, has expired or was ended."""
        session = self._authentic(cookie)
        if session is None or session.expires <= now or session.nonce in self._revoked:
            return None
        return session

    def end(self, session: Session, now: float) -> None:
        """End a session; for as long as this process lives, its cookie is refused."""
        self._revoked = {nonce: until for nonce, until in self._revoked.items() if until > now}
        if len(self._revoked) < _REVOKED:
            self._revoked[session.nonce] = session.expires

    def _authentic(self, cookie: str) -> Session | None:
        match = _COOKIE.fullmatch(cookie)
        if not match:
            return None
        try:
            name = base64.urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4)).decode()
        except ValueError:
            return None
        key = self._tokens.key(name)
        if key is None or not hmac.compare_digest(match[4], _mac(key, cookie[: match.end(3)])):
            return None
        return Session(name, int(match[2]), match[3])


def _signed(session: Session) -> str:
    name = base64.urlsafe_b64encode(session.name.encode()).decode().rstrip("=")
    return f"v1.{name}.{session.expires}.{session.nonce}"


def _mac(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()
