"""Runs an installer, pip or uv, on the locked dependencies, and shows how far it is."""

import os
import re
import selectors
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

PINS = Path(__file__).with_name("dev.txt")
_WIDTH = 79
_TICK = 1.0
"""Seconds between two updates of the line on a terminal."""
_EVERY = 10
"""Without a terminal, packages from one line to the next."""
_KEPT = 30
"""Last lines of the installer that are printed if it fails."""
_MIB = {"B": 2**-20, "kB": 1 / 1000, "KiB": 1 / 1024, "MB": 1.0, "MiB": 1.05, "GB": 1000.0}


@dataclass(slots=True)
class Progress:
    """How far the installer is, from the lines that it prints; it reads those of pip and of uv."""

    packages: int
    """Packages to come; those of other platforms count until pip says that it leaves them out."""
    begun: int = 0
    megabytes: float = 0.0
    """Downloaded, or being downloaded; what a cache or a folder has is not counted."""
    step: str = "downloading"

    def read(self, line: str) -> None:
        """Take note of one line."""
        if line.startswith("Ignoring "):
            self.packages -= 1
        elif line.startswith("Collecting "):
            self.begun += 1
        elif size := re.match(r"\s*Downloading \S+ \(([\d.]+) ?(\w+)\)", line):
            self.megabytes += float(size[1]) * _MIB.get(size[2], 0.0)
        elif installing := re.match(r"Installing collected packages|Prepared (\d+) packages?", line):
            self.packages = int(installing[1] or self.packages)
            self.step = "installing"

    def __str__(self) -> str:
        """One line, without the seconds."""
        downloaded = f", {self.megabytes:.0f} MB downloaded" if self.megabytes >= 1 else ""
        if self.step == "installing":
            return f"installing {self.packages} packages{downloaded}"
        counted = f" {self.begun} of {self.packages}" if self.begun else f" {self.packages}"
        return f"fetching packages:{counted}{downloaded}"


@dataclass(slots=True)
class Display:
    """Prints progress on standard error: one line that changes on a terminal, else a line now and then."""

    terminal: bool
    began: float = field(default_factory=time.monotonic)
    _printed: tuple[str, int] = ("", -1)

    def show(self, progress: Progress) -> None:
        """Print how far it is, if there is something new."""
        if self.terminal:
            text = f"  {progress} ({time.monotonic() - self.began:.0f} s)"
            print(f"\r{text[:_WIDTH]:<{_WIDTH}}", end="", file=sys.stderr, flush=True)
        elif (now := (progress.step, progress.begun // _EVERY)) != self._printed:
            self._printed = now
            print(f"  {progress}", file=sys.stderr, flush=True)

    def end(self, failed: Iterable[str] = ()) -> None:
        """Clear the line that changes, and print what the installer said if it failed."""
        if self.terminal:
            print(f"\r{'':<{_WIDTH}}\r", end="", file=sys.stderr, flush=True)
        for line in failed:
            print(f"  {line}", file=sys.stderr)


def main(command: list[str]) -> int:
    """Run the command; returns its exit code."""
    progress, display = (
        Progress(len(re.findall(r"^\S+==", PINS.read_text("utf-8"), re.MULTILINE))),
        Display(sys.stderr.isatty()),
    )
    # Else pip's lines come in blocks of some dozens.
    unbuffered = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=unbuffered)
    said: list[str] = []
    display.show(progress)
    for line in _lines(process):
        if line is not None:
            progress.read(line)
            said = [*said, line][-_KEPT:]
        display.show(progress)
    code = process.wait()
    display.end(said if code else ())
    return code


def _lines(process: "subprocess.Popen[bytes]") -> Iterator[str | None]:
    """The lines that the process prints; None each second in which it prints none."""
    rest, output = b"", process.stdout.fileno() if process.stdout else -1
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            if not selector.select(_TICK):
                yield None
                continue
            if not (read := os.read(output, 65536)):
                break
            *lines, rest = (rest + read).replace(b"\r", b"\n").split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
    if rest:
        yield rest.decode(errors="replace")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
