"""Every measurement in its small sizes runs to its end, and its report and exit code agree with its figures.

Targets of speed are not asserted here, because they only hold on an idle machine: `./dev bench NAME`.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import measurements

_ROOT = Path(__file__).parents[2]
_PATIENCE = 600.0


@pytest.mark.parametrize(
    "size",
    [
        pytest.param("--tiny", id="tiny", marks=pytest.mark.bench),
        pytest.param("--short", id="short", marks=pytest.mark.matrix),
    ],
)
@pytest.mark.parametrize("name", measurements())
def test_a_small_measurement_prints_a_report_that_matches_its_exit_code(name: str, size: str) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "bench", name, size, "--json"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    assert process.returncode in {0, 1}, process.stderr
    report = json.loads(process.stdout.splitlines()[-1])
    targets = report["targets"]
    assert report["name"] == name
    assert targets
    assert all(figure >= 0 for figure in report["figures"].values())
    assert report["holds"] == all(target["holds"] for target in targets) == (process.returncode == 0)
    # A limit of 0 is not about speed: no message lost, none processed twice.  It must hold on any machine.
    exact = [target for target in targets if target["limit"] == "at most 0"]
    assert [target["name"] for target in exact if not target["holds"]] == []
