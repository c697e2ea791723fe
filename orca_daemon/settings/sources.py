"""Reads the settings from a TOML file, the environment and flags, and collects every mistake in them."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orca_daemon.settings.corrections import Correction, corrected
from orca_daemon.settings.first_versions import completions
from orca_daemon.settings.mistakes import sentences, unknown
from orca_daemon.settings.sections import Settings

DEFAULT_FILE = Path("config/orca-daemon.toml")


class SettingsError(Exception):
    """The settings are wrong.  Each mistake is one line, without the wrong value, which may be a secret."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


ORCA_NAMES: Mapping[str, str] = {
    # Lambda and ECS set it, and ORCA reads it; botocore itself reads only AWS_DEFAULT_REGION.
    "AWS_REGION": "aws.region",
    "STATUS_UPDATE_QUEUE_URL": "queues.status_update.url",
    "RECOVERY_QUEUE_URL": "queues.recovery.url",
    "INTERNAL_REPORT_QUEUE_URL": "queues.internal_report.url",
    "METADATA_DB_QUEUE_URL": "queues.catalog.url",
    "RESTORE_QUEUE_URL": "queues.restore.url",
    "ARCHIVE_RECOVERY_QUEUE_URL": "restore.recovery_url",
    "ORCA_DEFAULT_BUCKET": "restore.bucket",
    "DEFAULT_RECOVERY_TYPE": "restore.tier",
    "RESTORE_EXPIRE_DAYS": "restore.days",
    "RESTORE_REQUEST_RETRIES": "restore.retries",
    "RESTORE_RETRY_SLEEP_SECS": "restore.retry_sleep",
    "DB_CONNECT_INFO_SECRET_ARN": "database.secret_arn",
    "PREFIX": "database.prefix",
    "DATABASE_URL": "database.url",
    "DATABASE_HOST": "database.host",
    "DATABASE_PORT": "database.port",
    "DATABASE_NAME": "database.name",
    "DATABASE_USER": "database.user",
    "DATABASE_PASSWORD": "database.password",
    "COPY_RETRIES": "copies.attempts",
    "COPY_RETRY_SLEEP_SECS": "copies.retry_sleep",
    "DEFAULT_MULTIPART_CHUNKSIZE_MB": "copies.chunk_mib",
    "DEFAULT_MAX_CONCURRENCY": "copies.parts",
    "INTERNAL_RECONCILIATION_EXPIRATION_DAYS": "reconcile.expire_days",
    "PROTECTED_BUCKET": "recovery.protected_bucket",
    "PUBLIC_BUCKET": "recovery.public_bucket",
    "BUCKET_MAP": "recovery.bucket_map",
    "LOG_LEVEL": "log.level",
}
"""Variables that ORCA's Lambdas read (contract 4), and our settings; lower case is accepted, too."""

_OURS = re.compile(r"^ORCA_([A-Z]+)__(.+)$")


def load(
    file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    flags: Mapping[str, object] | None = None,
    *,
    need_queue: bool = True,
) -> Settings:
    """Read the settings from all places; a later place wins.

    Args:
        file: the TOML file; by default `config/orca-daemon.toml`, if it exists.
        environ: the environment.
        flags: values by `section.key`; None values are ignored.
        need_queue: whether settings that suffice for no queue (`Settings.missing`) are a mistake.

    Raises:
        SettingsError: with all mistakes.
    """
    mistakes: list[str] = []
    corrections: list[Correction] = []
    tree = _from_file(file, mistakes)
    variables: dict[str, str] = {}
    for variable, dotted, value in _from_environment(environ, mistakes, corrections):
        _put(tree, dotted, value)
        variables[dotted] = variable
    for dotted, flag in (flags or {}).items():
        if flag is not None:
            _put(tree, dotted, flag)
            variables.pop(dotted, None)
    for added in completions(tree, _spelled(environ)):
        _put(tree, added.setting, added.used)
        corrections.append(added)
    settings = _validated(_trimmed(tree), variables, mistakes)
    if settings and need_queue and settings.missing:
        mistakes.append(settings.missing)
    if mistakes or settings is None:
        raise SettingsError(mistakes)
    # A correction counts only if its value is the one in use: a variable of ours, or a flag, may have won.
    return settings.with_corrections(
        each for each in corrections if _value_at(tree, each.setting) == each.used
    )


def _from_file(file: Path | None, mistakes: list[str]) -> dict[str, Any]:
    path = file or DEFAULT_FILE
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if file:
            mistakes.append(f"{path}: no such file")
    except OSError as error:
        mistakes.append(f"{path}: {error.strerror}")
    except UnicodeDecodeError:
        mistakes.append(f"{path}: it is not text in UTF-8")
    except tomllib.TOMLDecodeError as error:
        mistakes.append(f"{path}: it is not TOML: {error}")
    return {}


def _from_environment(
    environ: Mapping[str, str], mistakes: list[str], corrections: list[Correction]
) -> list[tuple[str, str, object]]:
    """Variable, setting and value; ORCA's own names come first, so that ours win."""
    values: list[tuple[str, str, object]] = []
    for name, (variable, given) in _spelled(environ).items():
        dotted = ORCA_NAMES[name]
        used, correction = corrected(variable, dotted, given)
        values.append((variable, dotted, used))
        corrections += [correction] if correction else []
    for name, value in sorted(environ.items()):
        if match := _OURS.match(name):
            dotted = f"{match[1]}.{match[2]}".lower().replace("__", ".")
            if match[1].lower() in Settings.model_fields:
                values.append((name, dotted, value))
            else:
                mistakes.append(unknown(tuple(dotted.split(".")), name))
    return values


def _spelled(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """ORCA's variables that are set, by their name in capitals: the name as it is spelled, and the value."""
    found: dict[str, tuple[str, str]] = {}
    for name, dotted in ORCA_NAMES.items():
        for variable in (name, name.lower()):
            if name not in found and (given := _without_blanks(dotted, environ.get(variable, ""))):
                found[name] = variable, given
    return found


def _trimmed(value: Any, name: str = "") -> Any:
    """The tree with stripped texts, because a value that was written with `echo` ends with a newline."""
    if isinstance(value, dict):
        return {key: _trimmed(below, key) for key, below in value.items()}
    if isinstance(value, list):
        return [_trimmed(each, name) for each in value]
    return _without_blanks(name, value) if isinstance(value, str) else value


def _without_blanks(name: str, value: str) -> str:
    # A password may begin or end with a blank, but does not end with a newline.
    return value.rstrip("\r\n") if name.rpartition(".")[2] == "password" else value.strip()


def _value_at(tree: Mapping[str, Any], dotted: str) -> object:
    section, _, key = dotted.partition(".")
    return tree.get(section, {}).get(key)


def _put(tree: dict[str, Any], dotted: str, value: object) -> None:
    *sections, key = dotted.split(".")
    for section in sections:
        below = tree.setdefault(section, {})
        if not isinstance(below, dict):
            return  # validation reports that the section is not a table
        tree = below
    tree[key] = value


def _validated(tree: dict[str, Any], variables: Mapping[str, str], mistakes: list[str]) -> Settings | None:
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        mistakes += sentences(error, tree, variables)
        return None
