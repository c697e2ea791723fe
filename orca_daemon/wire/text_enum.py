"""Enumerations whose members are texts, on every Python that sends messages: 3.10 has no `StrEnum`."""

from enum import Enum


class TextEnum(str, Enum):
    """Each member equals its text, and is written as its text."""

    # As `StrEnum` of Python 3.11: in logs, in JSON and between other texts a member is its text.
    __str__ = str.__str__

    def __format__(self, format_spec: str) -> str:
        return str.__format__(self, format_spec)
