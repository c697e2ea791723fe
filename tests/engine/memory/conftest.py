"""The clock of these tests."""

import pytest

from tests.engine.memory.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()
