"""Runs one measurement: `python -m bench NAME [--short | --tiny] [--json]`."""

import argparse
import importlib
import sys
from pathlib import Path

from bench.size import Size
from bench.table import MEASURED

NOT_MEASUREMENTS = {"__init__", "__main__", "report", "size", "table"}


def measurements() -> list[str]:
    """The names of all measurements; each is a module or a package."""
    here = Path(__file__).parent
    files = {file.stem for file in here.glob("*.py")} - NOT_MEASUREMENTS
    return sorted(files | {file.parent.name for file in here.glob("*/__init__.py")})


def main() -> int:
    """Run one measurement and print its report; exit code 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("name", choices=measurements())
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--short", action="store_true", help="a smaller size, in under 45 seconds")
    sizes.add_argument(
        "--tiny", action="store_true", help="the smallest size, only to check that it runs to its end"
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--save", action="store_true", help=f"keep the report in {MEASURED}, for the README")
    arguments = parser.parse_args()
    size = Size.SHORT if arguments.short else Size.TINY if arguments.tiny else Size.FULL
    report = importlib.import_module(f"bench.{arguments.name}").measure(size)
    print(report.text())
    if arguments.save:
        MEASURED.mkdir(exist_ok=True)
        (MEASURED / f"{report.name}.json").write_text(report.json() + "\n", "utf-8")
    if arguments.json:
        print(report.json())
    return 0 if report.holds else 1


if __name__ == "__main__":
    sys.exit(main())
