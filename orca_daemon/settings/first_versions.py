"""Completes the settings if only variables of ORCA's Lambdas of 2019 are set, as those Lambdas did.

`copy_files_to_archive` read the host and the password of its database from two parameters with fixed names.
`dr_copy_files_to_archive` had no database and no status queue, and copied each object by a rule.  Neither
paused between attempts.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from orca_daemon.settings.corrections import LONGEST_VALUE, Correction

HOST_PARAMETER = "ssm:drdb-host"
PASSWORD_PARAMETER = "ssm:drdb-user-pass"  # noqa: S105  the name of a parameter
Variables = Mapping[str, tuple[str, str]]
"""ORCA's variables that are set, by their name in capitals: the name as it is spelled, and the value."""
_ADDRESS = ("url", "secret_arn", "prefix", "host")
"""Settings of which any one says where the database is."""
_RULE = ("BUCKET_MAP", "PROTECTED_BUCKET", "PUBLIC_BUCKET")


def completions(tree: Mapping[str, Any], variables: Variables) -> list[Correction]:
    """The settings to add to what was read; each says why.

    Args:
        tree: the settings that were read, by section and key.
        variables: ORCA's variables that are set.
    """
    added = [*_database(tree, variables), *_rule(tree, variables)]
    if added and not _is_set(tree, "copies", "retry_sleep"):
        reason = "what ORCA's Lambdas of 2019 did without it"
        added.append(Correction("COPY_RETRY_SLEEP_SECS", "copies.retry_sleep", "", 0.0, reason))
    return added


def _database(tree: Mapping[str, Any], variables: Variables) -> Iterator[Correction]:
    """The two parameters, if name and user of the database are known and nothing says where it is."""
    if _located(tree) or not all(name in variables for name in ("DATABASE_NAME", "DATABASE_USER")):
        return
    reason = "no other setting names it; ORCA's Lambdas of 2019 read this parameter"
    yield Correction("DATABASE_HOST", "database.host", "", HOST_PARAMETER, reason)
    if not _is_set(tree, "database", "password"):
        yield Correction("DATABASE_PASSWORD", "database.password", "", PASSWORD_PARAMETER, reason)


def _rule(tree: Mapping[str, Any], variables: Variables) -> Iterator[Correction]:
    """Copies by rule, if the rule is set, and neither a database nor a status queue is."""
    given = next((name for name in _RULE if name in variables), None)
    others = _located(tree) or "DATABASE_NAME" in variables or _has_status_queue(tree)
    if given and not others and not _is_set(tree, "recovery", "unknown_keys"):
        reason = "neither a database nor a status queue is set, so only this rule says where objects go"
        spelled, value = variables[given]
        yield Correction(spelled, "recovery.unknown_keys", value[:LONGEST_VALUE], "route", reason)


def _located(tree: Mapping[str, Any]) -> bool:
    return any(_is_set(tree, "database", key) for key in _ADDRESS)


def _has_status_queue(tree: Mapping[str, Any]) -> bool:
    queues = tree.get("queues")
    own = isinstance(queues, Mapping) and _is_set(queues, "status_update", "url")
    return own or _is_set(tree, "recovery", "status_url")


def _is_set(tree: Mapping[str, Any], section: str, key: str) -> bool:
    below = tree.get(section)
    # A tuple, because a set would fail: a wrong value may be a list.
    return isinstance(below, Mapping) and below.get(key) not in (None, "")
