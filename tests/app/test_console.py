"""A daemon with console logs: dumps and corrected settings are logged with the same facts as in JSON."""

import signal
from collections.abc import Mapping

import pytest

from tests.app.conftest import Running
from tests.waiting import until


@pytest.fixture
def extra_environment() -> Mapping[str, str]:
    return {"ORCA_LOG__FORMAT": "console", "LOG_LEVEL": "WARN", "COPY_RETRIES": "0"}


def test_console_lines_have_all_facts(running: Running) -> None:
    running.signal(signal.SIGUSR1)
    until(lambda: "dump.task" in running.log.read_text("utf-8"))
    text = running.log.read_text("utf-8")
    assert "dump.state" in text
    assert " in main\n" in text
    (corrected,) = [line for line in text.splitlines() if "COPY_RETRIES" in line]
    for fact in ("start.setting_corrected", "given=0", "used=1"):
        assert fact in corrected
    assert "given=WARN" in text
    assert "Traceback" not in text
