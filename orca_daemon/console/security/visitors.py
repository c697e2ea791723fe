"""Who the visitor is and what it may do, decided from the request's headers and the settings."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Literal

from starlette.datastructures import Headers

from orca_daemon.console.security.peers import Peer
from orca_daemon.console.security.sessions import COOKIE, VISIT, Session, Sessions
from orca_daemon.console.security.tokens import Tokens
from orca_daemon.settings import ConsoleSection

_NONCE = re.compile(r"[0-9a-f]{32}")
_BEARER = re.compile(r"[Bb]earer +([\x21-\x7e]{1,1024}) *")
Proof = Literal["none", "session", "bearer", "proxy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """The sender of a request."""

    peer: Peer
    name: str | None = None
    """Who it is, as the record of actions shows it; None without a token."""
    proof: Proof = "none"
    """How that is known."""
    may_read: bool
    may_act: bool
    nonce: str
    """What its forms are bound to: a session, or a cookie of the visit."""
    csrf_token: str
    session: Session | None = None
    new_visit: bool = False
    """Whether the cookie of the visit has yet to be set."""


class WrongTokenError(Exception):
    """The request has a token that is nobody's."""


class Visitors:
    """Recognises visitors."""

    def __init__(self, settings: ConsoleSection, tokens: Tokens, sessions: Sessions) -> None:
        self._settings, self._tokens, self._sessions = settings, tokens, sessions
        self._key = secrets.token_bytes(32)

    def bearer(self, headers: Headers) -> str | None:
        """The token of the header `Authorization`, if the request has one."""
        match = _BEARER.fullmatch(headers.get("authorization", ""))
        return match[1] if match else None

    def recognise(self, headers: Headers, peer: Peer, wall: float) -> Visitor:
        """The visitor.

        Raises:
            WrongTokenError: the token of the header is nobody's.
        """
        cookies = _cookies(headers)
        session = self._sessions.read(cookies.get(COOKIE, ""), wall)
        name, proof = self._identity(headers, peer, session)
        visit = cookies.get(VISIT, "")
        known = bool(_NONCE.fullmatch(visit))
        nonce = session.nonce if session else visit if known else secrets.token_hex(16)
        return Visitor(
            peer=peer,
            name=name,
            proof=proof,
            may_read=name is not None or (self._settings.on_loopback and peer.direct),
            may_act=name is not None and self._settings.actions,
            nonce=nonce,
            csrf_token=self.csrf_token(nonce, name),
            session=session,
            new_visit=not session and not known,
        )

    def csrf_token(self, nonce: str, name: str | None) -> str:
        """What each form of this visitor must repeat."""
        key = (self._tokens.key(name) if name else None) or self._key
        return hmac.digest(key, f"form {nonce} {name or ''}".encode(), hashlib.sha256).hex()

    def _identity(self, headers: Headers, peer: Peer, session: Session | None) -> tuple[str | None, Proof]:
        if (given := self.bearer(headers)) is not None:
            if (holder := self._tokens.holder(given)) is None:
                raise WrongTokenError
            return holder, "bearer"
        if peer.user is not None:
            return peer.user, "proxy"
        if session is not None:
            return session.name, "session"
        return None, "none"


def _cookies(headers: Headers) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}
