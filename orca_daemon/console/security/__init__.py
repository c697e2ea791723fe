"""Who may ask for what: layers around every request, and what they share."""

from dataclasses import dataclass

from orca_daemon.console.security.sessions import Sessions
from orca_daemon.console.security.throttle import Throttle
from orca_daemon.console.security.tokens import Tokens
from orca_daemon.console.security.visitors import Visitors
from orca_daemon.settings import ConsoleSection


@dataclass(frozen=True, slots=True)
class Guard:
    """What the layers and the log-in page share."""

    tokens: Tokens
    sessions: Sessions
    visitors: Visitors
    throttle: Throttle

    @classmethod
    def of(cls, settings: ConsoleSection, tokens: Tokens) -> "Guard":
        """The guard of a console with these tokens."""
        sessions = Sessions(tokens, settings.session_hours * 3600)
        return cls(tokens, sessions, Visitors(settings, tokens, sessions), Throttle())
