"""Says what is wrong with the settings: for each mistake a sentence with the setting's key and variable.

Pydantic finds the mistakes.  Its words are for programmers, and do not appear.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orca_daemon.settings.conflicts import SettingsConflictError
from orca_daemon.settings.names import SettingName, leaves, located, nearest, shown

Context = Mapping[str, Any]


def sentences(error: ValidationError, tree: Mapping[str, Any], variables: Mapping[str, str]) -> list[str]:
    """A sentence for each mistake, without the wrong values.

    Args:
        error: what pydantic found.
        tree: the settings as given.
        variables: the variable that set each `section.key`, if one did.
    """
    found: list[str] = []
    wrong: dict[SettingName, list[str]] = {}
    for problem in error.errors(include_url=False, include_input=False):
        name, rest = located(problem["loc"])
        cause = problem.get("ctx", {}).get("error")
        if isinstance(cause, SettingsConflictError):
            found += [f"{shown(key)}: {text}" for key, text in cause.conflicts]
        elif problem["type"] == "extra_forbidden":
            paths = leaves(_value_at(tree, name.path), name.path)
            found += [unknown(path, variables.get(".".join(path))) for path in paths]
        else:
            wrong.setdefault(name, []).append(_place(rest) + _text(problem))
    return found + [
        f"{name.shown(variables.get(name.key))}: {_joined(texts)}" for name, texts in wrong.items()
    ]


def unknown(path: tuple[str, ...], variable: str | None = None) -> str:
    """The sentence for a name that is not the name of a setting."""
    near = nearest(path)
    hint = f"; did you mean {near.shown()}?" if near else ""
    return f"{SettingName(path).shown(variable)}: there is no such setting{hint}"


def _joined(texts: list[str]) -> str:
    """The problems of one setting; that it is no text says nothing if another type was nearer."""
    kept = [text for text in dict.fromkeys(texts) if text != _NO_TEXT] or [_NO_TEXT]
    return ", or ".join(kept)


def _place(rest: tuple[int | str, ...]) -> str:
    if not rest:
        return ""
    return f"item {rest[0] + 1} " if isinstance(rest[0], int) else f"the value of {rest[0]!r} "


def _text(problem: ErrorDetails) -> str:
    """What is wrong, after the name of the setting."""
    describe = _TEXTS.get(problem["type"])
    return describe(problem.get("ctx", {})) if describe else "is not a value that this setting can have"


def _value_at(tree: Mapping[str, Any], path: tuple[str, ...]) -> object:
    value: Any = tree
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _always(text: str) -> Callable[[Context], str]:
    return lambda _: text


_NO_TEXT = "must be a text"
_WHOLE, _NUMBER = _always("must be a whole number"), _always("must be a number")
_TABLE, _LIST = _always("must be a table"), _always("must be a list")
_ONE_OF: Callable[[Context], str] = lambda context: f"must be {context['expected']}"  # noqa: E731  an entry
_TEXTS: Mapping[str, Callable[[Context], str]] = {
    "bool_parsing": _always("must be true or false"),
    "bool_type": _always("must be true or false"),
    "dict_type": _TABLE,
    "enum": _ONE_OF,
    "finite_number": _NUMBER,
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "greater_than": lambda context: f"must be more than {context['gt']:g}",
    "greater_than_equal": lambda context: f"must be at least {context['ge']:g}",
    "int_from_float": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_type": _WHOLE,
    "less_than_equal": lambda context: f"must be at most {context['le']:g}",
    "literal_error": _ONE_OF,
    "model_type": _TABLE,
    "path_type": _always("must be the path of a directory"),
    "string_too_short": _always("must not be empty"),
    "string_type": _always(_NO_TEXT),
    "string_unicode": _always("must be text in UTF-8"),
    "tuple_type": _LIST,
    "value_error": lambda context: str(context["error"]),
}
"""What each type of pydantic's errors means here; a test compares them with the types that settings have."""
