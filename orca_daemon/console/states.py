"""States in words, and how they look."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class State:
    """A state in words, and how it looks: `good`, `open`, `bad` or `warn`."""

    text: str
    kind: str
