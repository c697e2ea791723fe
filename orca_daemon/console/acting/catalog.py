"""All actions of the console, by name.  A new action is a module of this package, and its name here."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from orca_daemon.console.acting.action import Action

MODULES = ("redrive",)
"""Modules of this package with an `ACTION`."""


@cache
def actions() -> Mapping[str, Action[Any]]:
    """Every action, by its name."""
    found: list[Action[Any]] = [import_module(f"{__package__}.{name}").ACTION for name in MODULES]
    return {action.name: action for action in found}
