"""Compares two collections of all tests, apart in time, hash seed and locale: `python -m tests.collected`.

xdist refuses to run when two workers collect different tests, or the same in another order.
"""

import difflib
import os
import subprocess
import sys
import time
from collections.abc import Mapping

APART = 1.1
"""Seconds: what was made within the same second looks alike."""
FIRST = {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8"}
SECOND = {
    "PYTHONHASHSEED": "2",
    "TZ": "Asia/Kathmandu",
    "LC_ALL": "C",
    "HOME": "/nonexistent",
    "COLUMNS": "40",
}
MOST = 10


def main() -> int:
    """Print what differs; the exit code says whether something does."""
    first = begun(FIRST)
    time.sleep(APART)
    second = begun(SECOND)
    one, other = ended(first), ended(second)
    differing = [line[:200] for line in difflib.unified_diff(one, other, n=0, lineterm="") if "::" in line]
    for line in differing[:MOST]:
        print(line)  # noqa: T201  a command prints
    if differing:
        print("tests are collected differently from run to run: give them ids=")  # noqa: T201  as above
    return 1 if differing else 0


def begun(environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Begin to collect every test, whatever its marks."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", ""]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})


def ended(process: "subprocess.Popen[str]") -> list[str]:
    """The ids, in their order."""
    reported, _ = process.communicate()
    if process.returncode:
        sys.exit(reported)
    return [line for line in reported.splitlines() if "::" in line]


if __name__ == "__main__":
    sys.exit(main())
