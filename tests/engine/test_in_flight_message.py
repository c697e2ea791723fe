"""A message in flight is changed by its own methods only, so that its states stand in one place."""

import ast
from dataclasses import fields
from pathlib import Path

from orca_daemon.engine import in_flight_message
from orca_daemon.engine.in_flight_message import InFlightMessage

HOME = Path(in_flight_message.__file__)
FIELDS = {field.name for field in fields(InFlightMessage)}


def assigned(file: Path) -> list[str]:
    """Fields of a message that a file assigns on anything but itself."""
    return [
        node.attr
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store | ast.Del)
        and node.attr in FIELDS
        and not (isinstance(node.value, ast.Name) and node.value.id == "self")
    ]


def test_no_other_file_of_the_engine_writes_to_a_message() -> None:
    files = [file for file in HOME.parent.glob("*.py") if file != HOME]
    assert len(files) > 20
    assert {file.name: found for file in files if (found := assigned(file))} == {}


def test_no_constructor_of_the_engine_has_more_than_five_parameters() -> None:
    too_many = {
        f"{file.name}:{node.lineno}": len(node.args.args) + len(node.args.kwonlyargs) - 1
        for file in HOME.parent.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name == "__init__"
        if len(node.args.args) + len(node.args.kwonlyargs) - 1 > 5
    }
    assert too_many == {}
