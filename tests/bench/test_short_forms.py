"""Every measurement in its small forms: that it runs to its end and tells the truth about itself.

Whether the figures are good enough is for a machine that does nothing else: `./dev bench NAME`.
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
    "size", [pytest.param("--tiny", id="tiny"), pytest.param("--short", id="short", marks=pytest.mark.matrix)]
)
@pytest.mark.parametrize("name", measurements())
def test_a_small_measurement_ends_with_its_report(name: str, size: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bench", name, size, "--json"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    assert ended.returncode in {0, 1}, ended.stderr
    report = json.loads(ended.stdout.splitlines()[-1])
    targets = report["targets"]
    assert report["name"] == name
    assert targets
    assert all(figure >= 0 for figure in report["figures"].values())
    assert report["holds"] == all(target["holds"] for target in targets) == (ended.returncode == 0)
    # A limit of none is no matter of speed: nothing lost, nothing twice.
    exact = [target for target in targets if target["limit"] == "at most 0"]
    assert [target["name"] for target in exact if not target["holds"]] == []
