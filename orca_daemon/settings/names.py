"""Names of settings: the key in the file, the variable, and which setting an unknown name may have meant."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from orca_daemon.settings.sections import STANDARD_QUEUES, QueueSection, Settings

_LONGEST_KEY = 60
"""Characters of an unknown key that are shown."""
_KEY = "[key]"
"""In pydantic's locations: the key of an entry, and not its value, is wrong."""
_SIMILAR = 0.7
"""Least similarity (0 to 1, by `difflib`) of a setting that is suggested."""


@dataclass(frozen=True, slots=True)
class SettingName:
    """A setting, or a table of settings."""

    path: tuple[str, ...]

    @property
    def key(self) -> str:
        """As in the file: `section.key`."""
        return ".".join(_printable(part) for part in self.path)

    @property
    def variable(self) -> str | None:
        """The environment's `ORCA_<SECTION>__<KEY>`; None if no variable can name it."""
        if not all(part == part.lower() and "__" not in part and "." not in part for part in self.path):
            return None
        name = f"ORCA_{'__'.join(_printable(part) for part in self.path).upper()}"
        if len(self.path) > 1:
            return name
        return f"{name}__<KEY>" if self.key in Settings.model_fields else None

    def shown(self, set_by: str | None = None) -> str:
        """Key and variable; `set_by` is the variable that set it, if that has another name."""
        names = [f"set by {set_by}"] if set_by and set_by != self.variable else []
        names = ([self.variable] if self.variable else []) + names
        return f"{self.key} ({', '.join(names)})" if names else self.key


def shown(dotted: str) -> str:
    """Key and variable of `section.key`, which may be an entry of a setting."""
    name, _ = located(tuple(dotted.split(".")))
    return f"{dotted} ({name.variable})" if name.variable else dotted


def located(location: tuple[int | str, ...]) -> tuple[SettingName, tuple[int | str, ...]]:
    """The setting at a location in pydantic's errors, and the rest: a place within the setting's value."""
    annotation: Any = Settings
    path: list[str] = []
    rest = [part for part in location if part != _KEY]
    while rest and (model := _model(annotation)):
        path.append(name := str(rest.pop(0)))
        if name not in model.model_fields:
            return SettingName(tuple(path)), tuple(rest)
        annotation = model.model_fields[name].annotation
        if rest and (entries := _model_of_entries(annotation)):
            path.append(str(rest.pop(0)))
            annotation = entries
    # Of a setting with several types, pydantic names each type that the value does not have.
    return SettingName(tuple(path)), tuple(rest[1:] if _has_types(annotation) else rest)


def nearest(path: tuple[str, ...]) -> SettingName | None:
    """The setting whose name is most like this unknown one; None if none is like it."""
    dotted = ".".join(path).lower()
    likeness = {name: _likeness(dotted, name.key) for name in _candidates(path)}
    best = max(likeness, key=likeness.__getitem__)
    return best if likeness[best] >= _SIMILAR else None


def _likeness(unknown: str, known: str) -> float:
    whole = SequenceMatcher(None, unknown, known).ratio()
    # A key in the wrong table, or in none, is like a setting by its last part alone.
    ends = SequenceMatcher(None, unknown.rpartition(".")[2], known.rpartition(".")[2]).ratio()
    return max(whole, 0.9 * ends, 0.5 * (whole + ends))


def _candidates(path: tuple[str, ...]) -> Iterator[SettingName]:
    yield from _known()
    if len(path) == len(("queues", "name", "key")):
        yield from (SettingName(("queues", path[1], key)) for key in QueueSection.model_fields)
    if path[:2] == ("export", "tables"):
        yield from (SettingName((*path[:3], key)) for key in ("table", "column"))


@cache
def _known() -> tuple[SettingName, ...]:
    """Every setting."""
    names: list[tuple[str, ...]] = []
    for section, field in Settings.model_fields.items():
        if section == "queues":
            names += [(section, queue, key) for queue in STANDARD_QUEUES for key in QueueSection.model_fields]
        else:
            names += [(section, key) for key in getattr(field.annotation, "model_fields", {})]
    return tuple(SettingName(name) for name in names)


def _model(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _has_types(annotation: Any) -> bool:
    return get_origin(annotation) in {Union, UnionType} and len(set(get_args(annotation)) - {NoneType}) > 1


def _model_of_entries(annotation: Any) -> type[BaseModel] | None:
    """The model of the values of a table whose keys are the operator's, such as `queues`."""
    if get_origin(annotation) is not dict:
        return None
    _, values = get_args(annotation)
    return _model(values)


def _printable(part: str) -> str:
    text = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in part)
    return text if len(text) <= _LONGEST_KEY else f"{text[:_LONGEST_KEY]}…"


def leaves(tree: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all values in a table, and of empty tables."""
    if isinstance(tree, Mapping) and tree:
        for key, below in tree.items():
            yield from leaves(below, (*path, str(key)))
    else:
        yield path
