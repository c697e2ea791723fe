"""Checks that two collections of all tests are equal: `python -m tests.collected`.

The two processes differ in start time, hash seed, time zone and locale.  xdist refuses to run if two workers
collect different tests, or the same tests in a different order.
"""

import difflib
import os
import subprocess
import sys
import time
from collections.abc import Mapping

START_GAP = 1.1
"""Seconds between the two starts: more than one, so that time stamps in whole seconds differ."""
FIRST = {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8"}
SECOND = {
    "PYTHONHASHSEED": "2",
    "TZ": "Asia/Kathmandu",
    "LC_ALL": "C",
    "HOME": "/nonexistent",
    "COLUMNS": "40",
}
MAX_PRINTED = 10


def main() -> int:
    """Print the ids that differ; exit code 1 if there are any."""
    first_process = start_collecting(FIRST)
    time.sleep(START_GAP)
    second_process = start_collecting(SECOND)
    first, second = collected_ids(first_process), collected_ids(second_process)
    differences = [
        line[:200] for line in difflib.unified_diff(first, second, n=0, lineterm="") if "::" in line
    ]
    for line in differences[:MAX_PRINTED]:
        print(line)  # noqa: T201  a command prints
    if differences:
        print("the ids of these tests differ between two runs: parametrize them with ids=")  # noqa: T201  as above
    return 1 if differences else 0


def start_collecting(environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Start a process that collects every test, including those that marks deselect by default."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", ""]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})


def collected_ids(process: "subprocess.Popen[str]") -> list[str]:
    """Wait for the process and return the test ids in the order in which it collected them."""
    output, _ = process.communicate()
    if process.returncode:
        sys.exit(output)
    return [line for line in output.splitlines() if "::" in line]


if __name__ == "__main__":
    sys.exit(main())
