"""Draws the README's pictures of a terminal from what the commands really print (`./dev pictures`).

It runs the demo, and then commands of an operator on the same stack, on a pseudo-terminal of 100 columns.
"""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import escape

from rich.style import Style
from rich.text import Text

FOLDER = Path(__file__).parent / "pictures"
PROGRAM = [sys.executable, "-m", "orca_daemon"]
COMMANDS = ("jobs", "dlq list status_update", "reports", "catalog count --by bucket")
COLUMNS, CHARACTER, LINE, MARGIN = 100, 8.0, 17, 12
"""Size of the terminal, and pixels of a character, of a line and around the text."""
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}} | {
    "TERM": "xterm-256color"
}
LAST_LINE = "Every check passed"
STYLE = """
text{font:13.3px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#1f2328}
.page{fill:#f6f8fa;stroke:#d1d9e0}.bold{font-weight:600}
.red{fill:#b3261e}.green{fill:#116329}.yellow{fill:#7d4e00}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117;stroke:#3d444d}
.red{fill:#ff8f88}.green{fill:#6fdd8b}.yellow{fill:#e3b341}}
"""


def main() -> None:
    """Write both pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as state, demo(Path(state)) as results:
        draw("demo", results)
        stack = json.loads(Path(state, "stack.json").read_text("utf-8"))
        draw("commands", [line for command in COMMANDS for line in ran(command, stack["environment"])])


@contextmanager
def demo(state: Path) -> Iterator[list[Text]]:
    """What the demo prints until its last check, while its stack runs."""
    with terminal() as (ours, theirs):
        command = [*PROGRAM, "local", "--demo", "--state", str(state)]
        process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
        os.close(theirs)
        try:
            lines = [Text.from_ansi(line) for line in printed(ours, until=LAST_LINE)]
            end = next(index for index, line in enumerate(lines) if LAST_LINE in line.plain)
            yield [Text("$ ./dev demo"), *lines[: end + 1]]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def ran(command: str, environment: dict[str, str]) -> list[Text]:
    """A command as it is typed, and what it prints."""
    with (
        terminal() as (ours, theirs),
        subprocess.Popen(
            [*PROGRAM, *command.split()], stdout=theirs, stderr=theirs, env=ENVIRONMENT | environment
        ),
    ):
        os.close(theirs)
        return [Text.from_ansi(line) for line in (f"$ orca-daemon {command}", *printed(ours), "")]


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a pseudo-terminal; the caller closes the second."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    try:
        yield ours, theirs
    finally:
        os.close(ours)


def printed(ours: int, until: str | None = None) -> list[str]:
    """The lines that are printed, up to the end or to a text."""
    text = b""
    while until is None or until.encode() not in text:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # the other end is closed
            break
        text += piece
    if until is not None and until.encode() not in text:
        raise SystemExit(f"the command ended without printing {until!r}:\n{text.decode()}")
    return text.decode().replace("\r\n", "\n").splitlines()


def draw(name: str, lines: Sequence[Text]) -> None:
    """Write a picture of these lines."""
    width, height = COLUMNS * CHARACTER + 2 * MARGIN, len(lines) * LINE + 2 * MARGIN
    words = "\n".join(piece for row, line in enumerate(lines) for piece in pieces(row, line))
    size = f'viewBox="0 0 {width:g} {height}" width="{width:g}"'
    page = f'<rect class="page" x="1" y="1" width="{width - 2:g}" height="{height - 2}" rx="8"/>'
    (FOLDER / f"{name}.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" {size}>\n'
        f"<style>{STYLE}</style>{page}\n{words}\n</svg>\n",
        "utf-8",
    )


def pieces(row: int, line: Text) -> Iterator[str]:
    """A line as texts, one for each stretch of one style, each as wide as its characters in a terminal."""
    y = MARGIN + LINE * row + LINE - 4
    spans = line.divide(sorted({offset for span in line.spans for offset in (span.start, span.end)}))
    column = 0
    for span in spans:
        if words := span.plain.strip():
            indent = len(span.plain) - len(span.plain.lstrip())
            x, length = MARGIN + (column + indent) * CHARACTER, len(words) * CHARACTER
            yield f'<text x="{x:g}" y="{y}" textLength="{length:g}"{_classes(span)}>{escape(words)}</text>'
        column += len(span.plain)


def _classes(span: Text) -> str:
    style = Style.combine([Style(), *(each.style for each in span.spans if isinstance(each.style, Style))])
    names = ["bold"] if style.bold else []
    if style.color and style.color.name.removeprefix("bright_") in {"red", "green", "yellow"}:
        names.append(style.color.name.removeprefix("bright_"))
    return f' class="{" ".join(names)}"' if names else ""


if __name__ == "__main__":
    main()
