"""The page of guarantees names tests and checks that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`((?:test|i\d+)_\w+)`", PAGE)))


@pytest.mark.parametrize("name", NAMED)
def test_a_promise_names_a_test_that_exists(name: str, defined: set[str]) -> None:
    assert name in defined


def test_every_check_of_the_simulation_is_named(defined: set[str]) -> None:
    assert {name for name in defined if re.match(r"i\d+_", name)} <= set(NAMED)
