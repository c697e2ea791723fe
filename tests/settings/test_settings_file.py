"""`config/orca-daemon.toml`: it names every setting with its default."""

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from orca_daemon import settings

FILE = Path(__file__).parents[2] / "config" / "orca-daemon.toml"
TEXT = FILE.read_text("utf-8")


def test_the_file_sets_only_the_names_of_queues() -> None:
    assert settings.load(FILE, {}, need_queue=False) == settings.load(
        Path("/dev/null"), {}, need_queue=False
    ).model_copy(update={"queues": dict.fromkeys(settings.STANDARD_QUEUES, settings.QueueSection())})


def test_every_setting_is_valid_if_its_hash_is_removed(tmp_path: Path) -> None:
    text = re.sub(r"^#(?=[\[a-z])", "", TEXT, flags=re.MULTILINE)
    (tmp_path / "all.toml").write_text(text.replace('\nurl = "postgres', '\n#url = "postgres'))
    loaded = settings.load(tmp_path / "all.toml", {})
    assert set(settings.STANDARD_QUEUES) < loaded.bound.keys()


def test_every_setting_is_named_with_its_default() -> None:
    missing = []
    for section, field in settings.Settings.model_fields.items():
        model: Any = settings.QueueSection if section == "queues" else field.annotation
        blocks = re.split(r"^\[", TEXT, flags=re.MULTILINE)
        block = next(part for part in blocks if part.startswith(section))
        missing += [f"{section}.{name}" for name in _unnamed(model, block)]
    assert missing == []


def _unnamed(model: type[BaseModel], block: str) -> list[str]:
    named = dict(re.findall(r"^#([a-z_]+) = (.*)$", block, re.MULTILINE))
    defaults = {
        name: field.get_default(call_default_factory=True) for name, field in model.model_fields.items()
    }
    # Tables of a section stand in blocks of their own.
    return [
        name
        for name, default in defaults.items()
        if not (default == {} or _is_mentioned(named.get(name), default))
    ]


def _is_mentioned(text: str | None, default: object) -> bool:
    """Whether the file has the default, or an example for a setting without a default."""
    if text is None or default is None:
        return text is not None
    value = tomllib.loads(f"value = {text}")["value"]
    return default == {} or (tuple(value) if isinstance(value, list) else value) == default
