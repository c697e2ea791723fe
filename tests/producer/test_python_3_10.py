"""The producer library runs on Python 3.10, which ORCA's Lambdas have, and without the daemon's libraries."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "orca_daemon"
FILES = [PACKAGE / "__init__.py", *sorted(PACKAGE.glob("producer/*.py")), *sorted(PACKAGE.glob("wire/*.py"))]
NEWER = {
    "asyncio": {"Barrier", "Runner", "TaskGroup", "timeout", "timeout_at"},
    "builtins": {"BaseExceptionGroup", "ExceptionGroup"},
    "contextlib": {"chdir"},
    "datetime": {"UTC"},
    "enum": {"EnumCheck", "ReprEnum", "StrEnum", "member", "nonmember", "property", "verify"},
    "hashlib": {"file_digest"},
    "itertools": {"batched"},
    "tomllib": {"*"},
    "typing": {
        "LiteralString",
        "Never",
        "NotRequired",
        "Required",
        "Self",
        "TypeVarTuple",
        "Unpack",
        "assert_never",
        "assert_type",
        "dataclass_transform",
        "override",
        "reveal_type",
    },
    "warnings": {"deprecated"},
}
"""Names of the standard library that Python 3.11 or a later one added, by module."""
NEEDED = {"annotated_types", "pydantic", "pydantic_core", "typing_extensions", "typing_inspection"}
"""What pydantic is made of."""


def names_of(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What a file takes from modules: `from a import b` and `a.b` are both (a, b)."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                yield from ((module, alias.name) for alias in names)
            case ast.Import(names=names):
                yield from ((alias.name, "*") for alias in names)
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                yield module, name
            case ast.Name(id=name):
                yield "builtins", name
            case _:
                pass


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_file_needs_nothing_that_python_3_10_does_not_have(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"), feature_version=(3, 10))
    newer = [(module, name) for module, name in names_of(tree) if name in NEWER.get(module, set())]
    assert newer == []


def test_the_check_finds_what_is_newer() -> None:
    source = "import tomllib\nfrom enum import StrEnum\nimport datetime\nx = datetime.UTC\ny = ExceptionGroup"
    found = {pair for pair in names_of(ast.parse(source)) if pair[1] in NEWER.get(pair[0], set())}
    assert found == {
        ("tomllib", "*"),
        ("enum", "StrEnum"),
        ("datetime", "UTC"),
        ("builtins", "ExceptionGroup"),
    }
    with pytest.raises(SyntaxError):
        ast.parse("try:\n    pass\nexcept* OSError:\n    pass", feature_version=(3, 10))


def test_a_program_that_imports_it_imports_only_pydantic_besides() -> None:
    script = (
        "import sys, json, orca_daemon.producer\n"
        "import orca_daemon.producer.database, orca_daemon.producer.reconciliation\n"
        "top = {name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)\n"
        "print(json.dumps(sorted(name for name in top if not name.startswith('_'))))\n"
    )
    output = subprocess.run(
        [sys.executable, "-S", "-c", _with_paths(script)], capture_output=True, check=True
    )
    assert set(json.loads(output.stdout)) - {"orca_daemon"} <= NEEDED


def _with_paths(script: str) -> str:
    """The script for an interpreter without site-packages' start-up files, which import on their own."""
    return f"import sys\nsys.path[:0] = {[path for path in sys.path if path]!r}\n{script}"
