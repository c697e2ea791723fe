"""What the tests of documents share."""

import re
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def defined() -> set[str]:
    """Every function of the tests."""
    files = Path(__file__).parents[1].rglob("*.py")
    return {name for file in files for name in re.findall(r"def (\w+)\(", file.read_text("utf-8"))}
