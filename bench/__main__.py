"""Runs one measurement: `python -m bench NAME [--short] [--json]`."""

import argparse
import importlib
import sys
from pathlib import Path

NOT_MEASUREMENTS = {"__init__", "__main__", "report"}


def measurements() -> list[str]:
    """The names of all there are: one file or folder each."""
    here = Path(__file__).parent
    files = {file.stem for file in here.glob("*.py")} - NOT_MEASUREMENTS
    return sorted(files | {file.parent.name for file in here.glob("*/__init__.py")})


def main() -> int:
    """Run it and print what it found; 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("name", choices=measurements())
    parser.add_argument("--short", action="store_true", help="a smaller size, in under 45 seconds")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    report = importlib.import_module(f"bench.{arguments.name}").measure(short=arguments.short)
    print(report.text())
    if arguments.json:
        print(report.json())
    return 0 if report.holds else 1


if __name__ == "__main__":
    sys.exit(main())
