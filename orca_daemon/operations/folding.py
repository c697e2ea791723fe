"""Folds the text of an error to what it has in common with others: names, numbers and times are replaced."""

import hashlib
import re

LONGEST = 240
"""Characters of a folded text."""
READ = 2_000
"""Characters of a text that are looked at."""
NAME, NUMBER, TIME, URL = "<name>", "<n>", "<time>", "<url>"
"""The placeholders: brackets are separators, and the words in them are kept, so they fold to themselves."""
_ELLIPSIS = "…"
_DIGITS_OF_ID = 10
_UNSEEN = r"\s\x00-\x1f\x7f"
_SEPARATOR = rf"[{_UNSEEN}'\"`()\[\]{{}}<>,;=|]"
_WORDS = rf"[^{_SEPARATOR[1:-1]}]"
"""A character of a token; tokens stand between separators."""
_PLAIN = rf"[^{_SEPARATOR[1:-1]}\d/]"
_TAIL = ".:!?" + _ELLIPSIS
_BEGIN, _END = rf"(?<!{_WORDS})", rf"(?=[{_TAIL}]*(?!{_WORDS}))"
_CODE = r"(?:[1-5][0-9][0-9]|[0-9A-Z]{5})"
_FOLDABLE = re.compile(
    # An HTTP status or an SQLSTATE tells causes apart, so it stays behind a word that says what it is.
    rf"{_BEGIN}(?:(?i:http|status|code|error|sqlstate|errno|exit)[{_TAIL}]*{_SEPARATOR}+{_CODE}{_END}"
    rf"|(?P<number>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?){_END}"
    rf"|(?P<token>{_PLAIN}*[\d/]{_WORDS}*|{_WORDS}{{41,}}))"
    rf"|[{_UNSEEN}]+"
)
_SPACE = re.compile(rf"[{_UNSEEN}]+")
_LAST_SEPARATOR = re.compile(rf".*{_SEPARATOR}", re.DOTALL)
_REPEATED = re.compile(r"(<(?:name|n|time|url)>)(?:[ ,;]{1,3}\1)+")
_OBJECT = re.compile(r"(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/|$))(.*)", re.DOTALL)
_AMOUNT = re.compile(r"[+-]?\d[\d.]*((?:[KMGTP]i?)?B|[mun]?s|min|[hx%]|)")
_TIMES = re.compile(r"\d{4}-\d\d-\d\d(?:[T_].*)?|\d{1,2}:\d\d(?::\d\d.*)?", re.DOTALL)
_KEPT = re.compile(
    r"(?:amazon)?s3[a-z]{0,20}(?::[a-z]{1,30})?|ec2|md5|sha-?(?:1|256|512)|crc-?(?:32c?|64(?:nvme)?)|utf-?(?:8|16)"
    r"|ipv[46]|base64|http/[12](?:\.[01])?|tlsv?1\.[0-3]|[a-z]{1,20}/[a-z]{1,20}"
    r"|(?:af|ap|ca|cn|eu|il|me|mx|sa|us)(?:-[a-z]{2,12}){1,2}-[0-9]",
    re.IGNORECASE,
)
"""Words with a digit or a slash that name no single thing: algorithms, protocols, regions, "and/or"."""


def fold(text: str) -> str:
    """The text with placeholders for what differs between failures of one cause: names, numbers, times, URLs.

    The bucket of an `s3://` URL stays, because it tells causes apart; so do an HTTP status and an SQLSTATE.
    What is folded folds to itself.  The result has at most `LONGEST` characters, and the time is linear.
    """
    return _bounded(_REPEATED.sub(_one, _FOLDABLE.sub(_replacement, text[:READ]).strip()))


def reason_id(*parts: str) -> str:
    """A short id of a group of failures: the same for the same parts, on every machine."""
    joined = "\0".join(parts).encode("utf-8", "replace")
    return hashlib.sha256(joined, usedforsecurity=False).hexdigest()[:_DIGITS_OF_ID]


def _replacement(match: re.Match[str]) -> str:
    text = match[0]
    if text == " ":  # most of them: a hundred thousand failures have a million
        return text
    if match.lastgroup == "token":
        return _folded(text)
    return NUMBER if match.lastgroup else _SPACE.sub(" ", text)


def _one(repeated: re.Match[str]) -> str:
    return repeated[1] + _ELLIPSIS


def _folded(token: str) -> str:
    core = token.rstrip(_TAIL)
    return _placeholder(core) + token[len(core) :] if core else token


def _placeholder(core: str) -> str:
    if "://" in core:
        return f"{found[1]}{NAME if found[2] else ''}" if (found := _OBJECT.fullmatch(core)) else URL
    if core[0].isalpha():
        return core if _KEPT.fullmatch(core) else NAME
    if core.isdecimal():
        return NUMBER
    if amount := _AMOUNT.fullmatch(core):
        return NUMBER + amount[1]
    return TIME if _TIMES.fullmatch(core) else NAME


def _bounded(text: str) -> str:
    """At most `LONGEST` characters; cut behind a separator: a part of a word may fold to something else."""
    if len(text) <= LONGEST:
        return text
    kept = _LAST_SEPARATOR.match(text[: LONGEST - 1])
    return (kept[0] if kept else "").rstrip() + _ELLIPSIS
