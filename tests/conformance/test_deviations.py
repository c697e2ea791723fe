"""The table of deviations names tests of this directory."""

import re
from pathlib import Path

from tests.conformance.deviations import DEVIATIONS

HERE = Path(__file__).parent


def test_each_deviation_names_a_test_that_exists() -> None:
    sources = [path.read_text("utf-8") for path in HERE.glob("test_*.py")]
    defined = {name for source in sources for name in re.findall(r"def test_(\w+)\(", source)}
    named = {name for deviations in DEVIATIONS.values() for name in deviations}

    assert sorted(named - defined) == []
