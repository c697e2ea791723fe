"""Where settings are read from: a TOML file, the environment, flags; and every mistake in them, at once."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orca_daemon.settings.sections import Settings

DEFAULT_FILE = Path("config/orca-daemon.toml")


class SettingsError(Exception):
    """The settings are wrong; each mistake is one line, and no value is repeated in it."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


ORCA_NAMES: Mapping[str, str] = {
    # Lambda and ECS set it, and ORCA reads it; botocore's own chain knows AWS_DEFAULT_REGION only.
    "AWS_REGION": "aws.region",
    "STATUS_UPDATE_QUEUE_URL": "queues.status_update.url",
    "RECOVERY_QUEUE_URL": "queues.recovery.url",
    "INTERNAL_REPORT_QUEUE_URL": "queues.internal_report.url",
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
"""Names that ORCA's Lambdas read (contract 4), and what they set here; lower case is accepted too."""

_OURS = re.compile(r"^ORCA_([A-Z]+)__(.+)$")


def load(
    file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    flags: Mapping[str, object] | None = None,
    *,
    need_queue: bool = True,
) -> Settings:
    """Read the settings from all places.

    Args:
        file: the TOML file; by default `config/orca-daemon.toml`, where it exists.
        environ: the environment.
        flags: `section.key` to value; None values are left out.
        need_queue: whether it is a mistake that no queue has a URL, or that one lacks what it needs.

    Raises:
        SettingsError: with every mistake that was found.
    """
    mistakes: list[str] = []
    tree = _from_file(file, mistakes)
    for dotted, value in _from_environment(environ, mistakes):
        _put(tree, dotted, value)
    for dotted, flag in (flags or {}).items():
        if flag is not None:
            _put(tree, dotted, flag)
    settings = _validated(tree, mistakes)
    if settings and need_queue and settings.missing:
        mistakes.append(settings.missing)
    if mistakes or settings is None:
        raise SettingsError(mistakes)
    return settings


def _from_file(file: Path | None, mistakes: list[str]) -> dict[str, Any]:
    path = file or DEFAULT_FILE
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if file:
            mistakes.append(f"{path}: no such file")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        mistakes.append(f"{path}: {error}")
    return {}


def _from_environment(environ: Mapping[str, str], mistakes: list[str]) -> list[tuple[str, str]]:
    """The settings that the environment names, ORCA's own names first so that ours win."""
    known = [
        (dotted, environ.get(name) or environ.get(name.lower(), "")) for name, dotted in ORCA_NAMES.items()
    ]
    found = [(dotted, value.lower() if dotted == "log.level" else value) for dotted, value in known if value]
    for name, value in sorted(environ.items()):
        if match := _OURS.match(name):
            if match[1].lower() in Settings.model_fields:
                found.append((f"{match[1]}.{match[2]}".lower().replace("__", "."), value))
            else:
                mistakes.append(f"{name}: there is no section [{match[1].lower()}]")
    return found


def _put(tree: dict[str, Any], dotted: str, value: object) -> None:
    *sections, key = dotted.split(".")
    for section in sections:
        below = tree.setdefault(section, {})
        if not isinstance(below, dict):
            return  # validation will say that the section is no table
        tree = below
    tree[key] = value


def _validated(tree: dict[str, Any], mistakes: list[str]) -> Settings | None:
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        mistakes += [
            f"{'.'.join(str(part) for part in problem['loc']) or 'settings'}: {_sentence(problem['msg'])}"
            for problem in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        return None


def _sentence(message: str) -> str:
    if message == "Extra inputs are not permitted":
        return "there is no such setting"
    return message.removeprefix("Value error, ")
